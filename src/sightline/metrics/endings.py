"""Whether captions are whole, or break off before they have said what they began to say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from itertools import pairwise

import numpy as np

from sightline.metrics.registry import Corpus, Score, register

# Two words tell where sentences end if people write them this often,
_OFTEN = 20
# and a sentence has broken off after them if fewer of theirs than one in so many end there.
_ONE_IN = 50


class Endings:
    """How sentences end: "on a dirt" is followed by something, whoever writes it.

    Args:
        captions: whole ones, as words or as ids.
    """

    def __init__(self, captions: Iterable[Sequence[Hashable]]) -> None:
        written: Counter[tuple[Hashable, Hashable]] = Counter()
        last: Counter[tuple[Hashable, Hashable]] = Counter()
        for caption in captions:
            written.update(pairwise(caption))
            last[_last_two(caption)] += 1
        often = {pair for pair, times in written.items() if times >= _OFTEN}
        self.known = bool(often)
        self._open = {pair for pair in often if last[pair] * _ONE_IN < written[pair]}

    def break_off(self, caption: Sequence[Hashable]) -> bool:
        """Whether it ends after two words that people write at least 20 times, ending there in fewer than one in 50."""
        return _last_two(caption) in self._open


def _last_two(caption: Sequence[Hashable]) -> tuple[Hashable, Hashable]:
    return (caption[-2], caption[-1]) if len(caption) > 1 else (None, None)


@register("endings", "broken off")
def compute(corpus: Corpus) -> tuple[Score, ...]:
    """The share of captions that break off, by how the references end, see `Endings`; of people's, one in a hundred."""
    endings = Endings(caption.split() for captions in corpus.references for caption in captions)
    if not endings.known:
        return (Score("broken off", None, note="too few references to tell how sentences end"),)
    broken = [endings.break_off(caption.split()) for caption in corpus.hypotheses]
    return (Score.mean("broken off", np.array(broken, np.float64)),)
