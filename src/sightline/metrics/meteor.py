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

from sightline.errors import SightlineError
from sightline.metrics.registry import Corpus, Score, register
from sightline.metrics.tokenizers import fitting

LANGUAGES = ("en", "cz", "de", "es", "fr")  # by the program's names: those with parameters and paraphrases of their own
# Together a tenth of the words of English captions, and hardly any of others'; with "a", which is an article in
# Portuguese and Hungarian too, where all is ASCII. In 2,000 draws of 25 captions of Flickr8k the least share is 0.058.
_ENGLISH, _SHARE = frozenset(("the", "of", "and", "with", "is", "are")), 0.05
_NOTE = "METEOR 1.5, reference program"


@register("meteor", "METEOR")
def compute(corpus: Corpus) -> tuple[Score, ...]:
    """METEOR, in [0, 1]: of the corpus from pooled matches, not the mean over photos; so it has no `resampled`.

    Stems, synonyms and parameters are those of ``corpus.language``, or English ones if the captions look English.
    Otherwise, with a tokenizer or a script that does not fit the language, without Java, pycocoevalcap, which contains
    the program, or the language's paraphrases, the value is None and the note says why.

    Raises:
        SightlineError: ``corpus.language`` is none of `LANGUAGES`.
    """
    if problem := _problem(corpus):
        return (Score("METEOR", None, note=problem),)
    jar, language = _jar(), corpus.language or "en"
    missing = [] if shutil.which("java") else ["Java (`java` on the PATH)"]
    if not jar:
        missing.append("pycocoevalcap, which contains the METEOR 1.5 program (`pip install pycocoevalcap==1.2`)")
    elif language != "en" and not (table := jar.parent / "data" / f"paraphrase-{language}.gz").is_file():
        missing.append(f"{table.name} of METEOR's own distribution in {table.parent}")
    if not jar or missing:
        return (Score("METEOR", None, note=f"needs {' and '.join(missing)}"),)
    try:
        value, per_photo = _run(jar, corpus)
    except (OSError, ValueError) as error:
        return (Score("METEOR", None, note=f"the METEOR program failed: {error}"),)
    return (Score("METEOR", value, np.array(per_photo, np.float64), note=_NOTE + f", {language}" * (language != "en")),)


def _problem(corpus: Corpus) -> str:
    """Why METEOR's language does not fit the captions; "" if it does."""
    language, references = corpus.language or "en", list(chain.from_iterable(corpus.references))
    if language not in LANGUAGES:
        raise SightlineError(f"language: {language!r} is none of METEOR's, which are {', '.join(LANGUAGES)}")
    if fitting(references) != "ptb" or corpus.tokenizer not in (("ptb",) if language == "en" else ("ptb", "words")):
        return f"only for captions in {', '.join(LANGUAGES)}, English ones with the ptb tokenizer"
    words = " ".join(references).split()
    known = _ENGLISH | {"a"} if all(map(str.isascii, words)) else _ENGLISH
    if corpus.language or sum(word in known for word in words) >= _SHARE * len(words):
        return ""
    return f"the captions do not look English; name their language, one of {', '.join(LANGUAGES)}"


def _jar() -> Path | None:
    package = find_spec("pycocoevalcap")
    folders = package.submodule_search_locations if package else None
    jars = [Path(folder, "meteor", "meteor-1.5.jar") for folder in folders or ()]
    return next((jar for jar in jars if jar.is_file()), None)


def _run(jar: Path, corpus: Corpus) -> tuple[float, list[float]]:
    # With its own normalization of punctuation, as pycocoevalcap runs it; UTF-8 whatever the locale.
    program = ["java", "-Dfile.encoding=UTF-8", "-Xmx2G", "-jar", str(jar), "-", "-", "-stdio"]
    command = [*program, "-l", corpus.language or "en", "-norm"]
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
