"""`Finding`, one kind of problem of a dataset; and whether its captions are enough to train on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from typing import Literal

from sightline.scripts import characters, words_are_separate
from sightline.vocabulary import split_words

Level = Literal["error", "warning"]

# A recipe's defaults; a test compares them.
MIN_COUNT, BATCH_SIZE = 5, 32


@dataclass(frozen=True)
class Finding:
    """One kind of problem.

    Attributes:
        kind: a name for programs, such as "unreadable-photos"; it stays the same from version to version.
        level: "error" if training or scores would suffer, otherwise "warning".
        message: the problem in words.
        names: all photos, captions or lines that have it; empty if it concerns the dataset as a whole.
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
    """Whether these captions are too few to train on, with the way out; None if they are enough.

    The error "nothing-to-learn" means that no training is possible, the warning "few-photos" that the photos do not
    fill a batch.

    Args:
        captions: all captions of the training photos.
        photos: the number of training photos with a caption.
        min_count: how often a word must occur to be in the vocabulary (`vocabulary.min_count` of a recipe).
        batch_size: photos a batch (`training.batch_size`).
    """
    captions = [caption for caption in captions if caption.strip()]
    words = chain.from_iterable(map(split_words, captions))
    # Scripts without spaces are learned in subword units, of which only single characters are certain.
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
        reason = f"{photos} training photos do not fill a batch of {batch_size}"
        return Finding("few-photos", "warning", f"{reason}; add photos, or lower training.batch_size")
    else:
        return None
    return Finding("nothing-to-learn", "error", reason)
