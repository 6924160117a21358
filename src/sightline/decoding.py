"""How sentences are searched for where nobody asks otherwise."""

from typing import Final

BEAM_SIZE: Final = 3
# By the plain sum of log p a sentence that stops early wins, as every word costs; 1 ranks by the mean of a word.
LENGTH_PENALTY: Final = 1.0
