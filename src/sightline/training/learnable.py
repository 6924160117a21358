"""Whether there is anything to learn from, asked before a training begins."""

from __future__ import annotations

from collections import Counter

from sightline.errors import SightlineError
from sightline.training.data import TrainingData
from sightline.vocabulary import Vocabulary


def check_learnable(data: TrainingData, vocabulary: Vocabulary, min_count: int) -> None:
    """Raise `SightlineError` where ``vocabulary`` knows no word of the training captions, and say why that is."""
    known, counts = set(vocabulary.words), Counter[str]()
    for example in data.examples["train"]:
        words = [word for caption in example.captions for word in vocabulary.units(caption)]
        if not known.isdisjoint(words):
            return
        counts.update(words)
    if not counts:
        raise SightlineError(f"{data.name}: nothing to learn from: the training captions hold no word")
    (word, times), *_ = counts.most_common(1)
    if times < min_count:
        reason = (
            f"no word stands {min_count} times in the training captions; the commonest, {word!r}, stands {times};"
            " lower vocabulary.min_count"
        )
    else:  # a model that is to be rewarded for what it says
        reason = f"the model of --init knows no word of the training captions, such as {word!r}; name another"
    raise SightlineError(f"{data.name}: nothing to learn from: {reason}")
