"""BLEU with and without its brevity penalty: python benchmarks/brevity.py REPORT...

REPORT is what `sightline evaluate` or `sightline compare` reads. "Show, Attend and Tell" leaves the penalty out, which
raises the BLEU of captions that are shorter than the references (docs/reproduce.md).
"""

from __future__ import annotations

import sys

import numpy as np

from sightline.evaluation.report import read_report
from sightline.metrics import Corpus
from sightline.metrics.bleu import ORDER, _statistics, bleu


def main() -> None:
    for folder in sys.argv[1:]:
        result = read_report(folder)
        corpus = Corpus.of_captions(result.hypotheses, result.references, tokenizer=result.tokenizer)
        photos = np.arange(len(corpus.hypotheses))
        statistics = _statistics(corpus.reference_ngrams, corpus.hypotheses, photos).sum(axis=0)
        length, closest = statistics[-2:]
        unpenalised = np.append(statistics[:-1], min(length, closest))
        words = f"{length / len(photos):.2f} words a caption, {closest / len(photos):.2f} in the closest reference"
        print(f"{folder}: {words}")
        for name, values in (("as pycocoevalcap", bleu(statistics)), ("without the penalty", bleu(unpenalised))):
            scores = ", ".join(f"BLEU-{n + 1} {100 * values[n]:.1f}" for n in range(ORDER))
            print(f"  {name:20} {scores}")


if __name__ == "__main__":
    main()
