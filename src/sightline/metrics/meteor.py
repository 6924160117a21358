"""METEOR 1.5 (Denkowski and Lavie 2014) through the reference program, which is Java.

There is no other METEOR here: numbers that other implementations give under this name differ by a factor of two.
"""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen
from typing import IO

import numpy as np

from sightline.metrics.registry import Corpus, Score, register
from sightline.metrics.tokenizers import fitting


@register("meteor", "METEOR")
def compute(corpus: Corpus) -> tuple[Score, ...]:
    """METEOR, in [0, 1]: of the corpus from pooled matches, not the mean over photos; so it has no `resampled`.

    Its stems and synonyms are English: with another tokenizer than ptb, or captions in another script than Latin, the
    value is None and the note says so. Likewise without Java or pycocoevalcap, which contains the program.
    """
    references = list(chain.from_iterable(corpus.references))
    if corpus.tokenizer != "ptb" or fitting(references) != "ptb":
        return (Score("METEOR", None, note="only for English captions and the ptb tokenizer"),)
    jar = _jar()
    missing = [] if shutil.which("java") else ["Java (`java` on the PATH)"]
    if not jar:
        missing.append("pycocoevalcap, which contains the METEOR 1.5 program (`pip install pycocoevalcap==1.2`)")
    if not jar or missing:
        return (Score("METEOR", None, note=f"needs {' and '.join(missing)}"),)
    try:
        value, per_photo = _run(jar, corpus)
    except (OSError, ValueError) as error:
        return (Score("METEOR", None, note=f"the METEOR program failed: {error}"),)
    return (Score("METEOR", value, np.array(per_photo, np.float64), note="METEOR 1.5, reference program"),)


def _jar() -> Path | None:
    package = find_spec("pycocoevalcap")
    folders = package.submodule_search_locations if package else None
    jars = [Path(folder, "meteor", "meteor-1.5.jar") for folder in folders or ()]
    return next((jar for jar in jars if jar.is_file()), None)


def _run(jar: Path, corpus: Corpus) -> tuple[float, list[float]]:
    # English, with its own normalization of punctuation, as pycocoevalcap runs it; UTF-8 whatever the locale.
    command = ["java", "-Dfile.encoding=UTF-8", "-Xmx2G", "-jar", str(jar), "-", "-", "-stdio", "-l", "en", "-norm"]
    with Popen(command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, encoding="utf-8") as process:
        assert process.stdin and process.stdout
        try:
            matches = []
            for hypothesis, references in zip(corpus.hypotheses, corpus.references, strict=True):
                cleaned = hypothesis.replace("|||", "").replace("  ", " ")
                print(" ||| ".join(["SCORE", *references, cleaned]), file=process.stdin, flush=True)
                matches.append(_answer(process.stdout))
            print(" ||| ".join(["EVAL", *matches]), file=process.stdin, flush=True)
            # One answer for each photo, then the corpus's.
            per_photo = [float(_answer(process.stdout)) for _ in range(len(matches) + 1)]
        finally:
            process.kill()
    return per_photo.pop(), per_photo


def _answer(answers: IO[str]) -> str:
    if not (line := answers.readline()):
        raise ValueError("it ended early")
    return line.strip()
