"""A metric: captions and references -> scores.

sightline score --plugin metric.py --hypotheses captions.json --references references.json

It needs no torch, so it is scored with wherever captions are written.
"""

import numpy as np

from sightline.metrics import Corpus, Score, register


# The metric's name, then those of its scores; of these, which are better when lower.
@register("repetition", "repeated words", lower=["repeated words"])
def repeated_words(corpus: Corpus) -> tuple[Score, ...]:
    """The share of a caption's words that stood in it before, from 0 to 1; mean over the captions.

    Captions of a `Corpus` are tokenized: words with one space between them.
    """
    shares = []
    for caption in corpus.hypotheses:
        words = caption.split()
        shares.append(1 - len(set(words)) / len(words) if words else 0.0)
    # The mean of the photos' own scores, which the bootstrap resamples.
    return (Score.mean("repeated words", np.array(shares, np.float64)),)
