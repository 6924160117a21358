"""How fast the metrics are, beside pycocoevalcap, in one run on one machine.

    python benchmarks/metrics.py --captions FOLDER --flickr8k FOLDER --out result.json

Four figures: all scores but METEOR for 1,000 captions with five references each, as a whole process; pycocoevalcap's
tokenizer, BLEU, ROUGE-L and CIDEr for the same, also a whole process; how many captions a second the reward of
self-critical training scores on one core, against the references of Flickr8k's 6,000 training photos; and seconds of
`sightline.score`, and of its intervals, for 20,000 photos with five references each, drawn from Flickr8k's captions.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

OURS = """
import sys
from pathlib import Path
from sightline.annotations.caption_files import read_hypotheses, read_references
from sightline.evaluation.scores import score_captions
from sightline.metrics import quick_metrics
hypotheses, references = read_hypotheses(Path(sys.argv[1])), read_references(Path(sys.argv[2]))
scores = score_captions(hypotheses, references, metrics=quick_metrics())
print("CIDEr", scores["CIDEr"])
"""

THEIRS = """
import json, sys
from pycocoevalcap.bleu.bleu import Bleu
from pycocoevalcap.cider.cider import Cider
from pycocoevalcap.rouge.rouge import Rouge
from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer
ours, theirs = (json.load(open(path, encoding="utf-8")) for path in sys.argv[1:])
tokenize = lambda captions: PTBTokenizer().tokenize({k: [{"caption": c} for c in v] for k, v in captions.items()})
references, hypotheses = tokenize(theirs), tokenize(ours)
Bleu(4).compute_score(references, hypotheses, verbose=0)
Rouge().compute_score(references, hypotheses)
print("CIDEr", Cider().compute_score(references, hypotheses)[0])
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--captions", type=Path, default=Path("../shared/metrics/flickr8k-dev"))
    parser.add_argument("--flickr8k", type=Path, default=Path("../shared/flickr8k"))
    parser.add_argument("--repeats", type=int, default=3, help="runs of each side; the median counts")
    parser.add_argument("--out", type=Path, help="write the result there as JSON")
    options = parser.parse_args()
    result = {"conditions": conditions(), **scoring(options.captions, options.repeats)}
    result |= {**reward(options.flickr8k), **many(options.flickr8k)}
    text = json.dumps(result, indent=2)
    print(text)
    if options.out:
        options.out.write_text(text + "\n", encoding="utf-8")


def conditions() -> dict[str, object]:
    return {
        "cpus": os.cpu_count(),
        "machine": platform.machine(),
        "load_before": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "pycocoevalcap": _version("pycocoevalcap"),
        "java": _java_version(),
    }


def scoring(folder: Path, repeats: int) -> dict[str, object]:
    """Seconds of each side, whole processes from start to end, alternating."""
    files = [folder / "hypotheses.json", folder / "references.json"]
    if not all(file.is_file() for file in files):
        print(f"skipped: {folder} with hypotheses.json and references.json is not there", file=sys.stderr)
        return {}
    sides = {"sightline": OURS}
    if _version("pycocoevalcap") and shutil.which("java"):
        sides["pycocoevalcap"] = THEIRS
    else:
        print("skipped: pycocoevalcap and Java are not both there", file=sys.stderr)
    seconds: dict[str, list[float]] = {side: [] for side in sides}
    answers = {}
    for _ in range(repeats):
        for side, script in sides.items():
            begin = time.perf_counter()
            run = subprocess.run([sys.executable, "-c", script, *files], check=True, capture_output=True, text=True)
            seconds[side].append(time.perf_counter() - begin)
            answers[side] = float(run.stdout.split()[-1])
    if max(answers.values()) - min(answers.values()) > 1e-9:
        raise SystemExit(f"the two sides disagree: {answers}")
    medians = {side: statistics.median(runs) for side, runs in seconds.items()}
    result: dict[str, object] = {f"{side}_seconds": round(median, 2) for side, median in medians.items()}
    if "pycocoevalcap" in medians:
        result["times_faster"] = round(medians["pycocoevalcap"] / medians["sightline"], 1)
    return {"scoring_1000_captions": result}


def reward(flickr8k: Path, batch: int = 160, batches: int = 100) -> dict[str, object]:
    """Captions a second of `CiderD.score` on one core, as token ids, in batches as training would send them."""
    from sightline.annotations.caption_files import read_references
    from sightline.metrics import tokenize
    from sightline.metrics.cider import CiderD

    captions, split = flickr8k / "captions.txt", flickr8k / "Flickr_8k.trainImages.txt"
    if not captions.is_file() or not split.is_file():
        print(f"skipped: {flickr8k} with captions.txt and Flickr_8k.trainImages.txt is not there", file=sys.stderr)
        return {}
    everything = read_references(captions)
    ids: dict[str, int] = {}
    references = [
        [[ids.setdefault(word, len(ids)) for word in tokenize(caption).split()] for caption in everything[photo]]
        for photo in split.read_text(encoding="utf-8").split()
    ]
    begin = time.perf_counter()
    scorer = CiderD(references)
    built = time.perf_counter() - begin
    random = np.random.default_rng(0)
    photos = random.integers(len(references), size=(batches, batch))
    # Captions of other photos, a word in ten replaced, so that unseen n-grams are as frequent as in sampling.
    others = random.integers(len(references), size=(batches, batch))
    sampled = [
        [[int(w) if random.random() > 0.1 else int(random.integers(len(ids))) for w in references[o][0]] for o in row]
        for row in others
    ]
    begin = time.perf_counter()
    for hypotheses, row in zip(sampled, photos, strict=True):
        scorer.score(hypotheses, row)
    seconds = time.perf_counter() - begin
    return {
        "reward": {
            "photos": len(references),
            "batch": batch,
            "build_seconds": round(built, 2),
            "captions_per_second": round(batch * batches / seconds),
        }
    }


def many(flickr8k: Path, photos: int = 20_000, references: int = 5) -> dict[str, object]:
    """Seconds of `sightline.score` for captions that lie in memory, and of the intervals of its scores."""
    import sightline
    from sightline.annotations.caption_files import read_references

    if not (captions := flickr8k / "captions.txt").is_file():
        print(f"skipped: {captions} is not there", file=sys.stderr)
        return {}
    texts = [text for group in read_references(captions).values() for text in group]
    random = np.random.default_rng(0)
    drawn = [[texts[index] for index in row] for row in random.integers(len(texts), size=(photos, 1 + references))]
    begin = time.perf_counter()
    scores = sightline.score([row[0] for row in drawn], [row[1:] for row in drawn])
    scored = time.perf_counter()
    scores.intervals()
    seconds = {"score_seconds": round(scored - begin, 1), "interval_seconds": round(time.perf_counter() - scored, 1)}
    return {"many_captions": {"photos": photos, "references": photos * references, **seconds}}


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _java_version() -> str | None:
    if not shutil.which("java"):
        return None
    return subprocess.run(["java", "-version"], capture_output=True, text=True).stderr.partition("\n")[0]


if __name__ == "__main__":
    main()
