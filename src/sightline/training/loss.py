"""The loss of teacher forcing."""

from __future__ import annotations

from torch import Tensor

from sightline.nn.prefix_tree import PrefixTree
from sightline.vocabulary import PAD


def caption_loss(logits: Tensor, captions: PrefixTree) -> tuple[Tensor, int]:
    """The mean over all words, ``<end>`` included and ``<pad>`` not, of -log p(word | photo, words before).

    ``logits`` (N, V) at the tree's nodes -> the loss () in nats, and how many words it is the mean of.
    """
    real = captions.targets != PAD
    words = captions.targets[real]
    log_probs = logits.log_softmax(dim=1)
    return -log_probs[captions.node_of_word[real], words].mean(), len(words)
