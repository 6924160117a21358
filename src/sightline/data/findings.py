"""A finding: one kind of trouble with a dataset, and what leaves nothing to learn from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from typing import Literal

from sightline.scripts import characters, words_are_separate
from sightline.vocabulary import split_words

Level = Literal["error", "warning"]

# What a recipe says unless it says otherwise; a test compares them.
MIN_COUNT, BATCH_SIZE = 5, 32


@dataclass(frozen=True)
class Finding:
    """One kind of trouble.

    Attributes:
        kind: a name for programs, such as "unreadable-photos"; it stays the same from version to version.
        level: "error" if training or scores would suffer, "warning" if a look is enough.
        message: what it is, in words.
        names: where it is, all of it: photos, captions or lines. Empty if it concerns the dataset as a whole.
    """

    kind: str
    level: Level
    message: str
    names: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """How many photos, captions or lines it concerns; 1 for the dataset as a whole."""
        return len(self.names) or 1


def find_nothing_to_learn(
    captions: Iterable[str], photos: int, min_count: int = MIN_COUNT, batch_size: int = BATCH_SIZE
) -> Finding | None:
    """What stands against learning from these captions at all, with the way out; None if nothing does.

    An error, "nothing-to-learn", says that no training can come of it; a warning, "few-photos", that its photos do not
    fill a batch.

    Args:
        captions: all of the training photos.
        photos: how many training photos with a caption there are.
        min_count: how often a word must stand in the captions to be known (`vocabulary.min_count` of a recipe).
        batch_size: photos a batch (`training.batch_size`).
    """
    captions = [caption for caption in captions if caption.strip()]
    words = chain.from_iterable(map(split_words, captions))
    # Words that are not parted are learned in units; characters are those that are known for certain.
    counts = Counter(words if words_are_separate(captions) else chain.from_iterable(map(characters, words)))
    most = max(counts.values(), default=0)
    if not captions:
        reason = "the training photos have no caption; add captions"
    elif not counts:
        reason = "the training captions hold punctuation only; write words"
    elif most < min_count:
        times = f"{most} time{'s' * (most != 1)}"
        reason = (
            f"no word of the training captions is known: a word must stand there {min_count} times, and the most "
            f"frequent does {times}; add captions, or set vocabulary.min_count to {most} or less"
        )
    elif photos < 2:
        reason = "there is one training photo; add photos"
    elif photos < batch_size:
        told = f"{photos} training photos do not fill a batch of {batch_size}; add photos, or lower training.batch_size"
        return Finding("few-photos", "warning", told)
    else:
        return None
    return Finding("nothing-to-learn", "error", reason)
