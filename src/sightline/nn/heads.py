"""What a trained captioner can tell beside its sentences, by small heads on what it has computed anyway.

The captioner stays as it is; `sightline.training.calibration` fits the heads. All of them read the photo's pooled
annotation vectors, and confidence also what the search left: words and their log-probabilities. So any decoder will do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid, normalize

HIDDEN = 128
"""Width of the keywords' hidden layer: wider ones told held-out words no better."""
NOUN_FEATURES, SENTENCE_FEATURES = 7, 4
_DOUBT = 0.01  # the least of 1 - p whose logarithm is taken: float32 holds few digits of less


class Judgement(NamedTuple):
    """What the heads say of P photos with K sentences each, probabilities in [0, 1]; None for what was not learned.

    Attributes:
        confidence: (P, K), that every thing a sentence names is there.
        word_confidence: (P, K, T), that the thing a word names is there; NaN for words that name none.
        kinds: (P, C), sum to one.
        keywords: (P, W), each for itself.
    """

    confidence: Tensor | None
    word_confidence: Tensor | None
    kinds: Tensor | None
    keywords: Tensor | None


class Heads(nn.Module):
    """Keywords, kind and confidence from annotation vectors and sentences.

    x       = (pooled(a) - mean) / deviation
    keyword = sigmoid(W_2 relu(W_1 x + b_1) + b_2)
    kind    = softmax(W_k x + b_k)

    Args:
        feature_size: D, the width of an annotation vector.
        vocabulary_size: V.
        names: `ModelConfig.heads`: of ``"keywords"``, ``"nouns"``, ``"kinds"`` and ``"others"`` those that the model
            has; others are nouns that are learned as keywords are, for confidence, but are not worth naming.
    """

    def __init__(self, feature_size: int, vocabulary_size: int, names: Mapping[str, Sequence[str]]) -> None:
        super().__init__()
        self.mean = nn.Buffer(torch.zeros(feature_size))
        self.deviation = nn.Buffer(torch.ones(feature_size))
        self.named, kinds = len(names.get("keywords", ())), len(names.get("kinds", ()))
        words = self.named + len(names.get("others", ()))
        self.keywords = KeywordHead(feature_size, words) if words else None
        self.kinds = nn.Linear(feature_size, kinds) if kinds else None
        self.confidence = ConfidenceHead(vocabulary_size, words) if words and names.get("nouns") else None

    def standardised(self, features: Tensor) -> Tensor:
        """``features`` (P, L, D) -> x (P, D)."""
        return (pooled(features) - self.mean) / self.deviation

    def forward(self, features: Tensor, tokens: Tensor, log_probs: Tensor, lengths: Tensor) -> Judgement:
        """``features`` (P, L, D), then as in `sightline.nn.search.Sentences`."""
        x = self.standardised(features)
        logits = None if self.keywords is None else self.keywords(x)
        sure: tuple[Tensor | None, Tensor | None] = (None, None)
        if self.confidence is not None and logits is not None:
            sure = self.confidence(logits, tokens, log_probs, lengths)
        return Judgement(
            *sure,
            None if self.kinds is None else self.kinds(x).softmax(1),
            None if logits is None else logits[:, : self.named].sigmoid(),
        )


def pooled(features: Tensor) -> Tensor:
    """The mean of annotation vectors, its signed square root, to length 1 (Perronnin et al. 2010): (P, L, D) -> (P, D).

    The root keeps a few large channels from outweighing the many small ones.
    """
    mean = features.mean(1, keepdim=True).squeeze(1)
    return normalize(mean.sign() * mean.abs().sqrt(), dim=1)


class KeywordHead(nn.Module):
    """x (P, D) -> log-odds (P, W) of each keyword, then of other nouns."""

    def __init__(self, feature_size: int, keywords: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(feature_size, HIDDEN)
        self.output = nn.Linear(HIDDEN, keywords)

    def forward(self, x: Tensor) -> Tensor:
        odds: Tensor = self.output(self.hidden(x).relu())
        return odds


class ConfidenceHead(nn.Module):
    """Logistic regressions: of every noun's probability to be right, then of the whole sentence's.

    Attributes:
        keyword_of: int64 (V,), the keyword that a noun of the vocabulary is a form of; W for nouns that are forms of
            none, -1 for words that name no thing.
        prior: float32 (W + 1,), log-odds of each keyword among the training photos, at last of all other nouns.
        noun, noun_bias, sentence, sentence_bias: weights of the features and what is added.
    """

    def __init__(self, vocabulary_size: int, keywords: int) -> None:
        super().__init__()
        self.keyword_of = nn.Buffer(torch.full((vocabulary_size,), -1))
        self.prior = nn.Buffer(torch.zeros(keywords + 1))
        self.noun = nn.Parameter(torch.zeros(NOUN_FEATURES))
        self.noun_bias = nn.Parameter(torch.zeros(1))
        self.sentence = nn.Parameter(torch.zeros(SENTENCE_FEATURES))
        self.sentence_bias = nn.Parameter(torch.zeros(1))

    def forward(self, logits: Tensor, tokens: Tensor, log_probs: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """``logits`` (P, W) of the keywords -> confidence of sentences (P, K) and of nouns (P, K, T), else NaN."""
        features, named = self.noun_features(logits, tokens, log_probs, lengths)
        odds = (features * self.noun).sum(3) + self.noun_bias
        of_sentence = sentence_features(odds, named, log_probs, lengths)
        sentence = (of_sentence * self.sentence).sum(2) + self.sentence_bias
        return sentence.sigmoid(), torch.where(named, odds.sigmoid(), float("nan"))

    def noun_features(
        self, logits: Tensor, tokens: Tensor, log_probs: Tensor, lengths: Tensor
    ) -> tuple[Tensor, Tensor]:
        """What tells whether a noun is right, (P, K, T, `NOUN_FEATURES`), and which words are nouns, (P, K, T).

        For a noun: log p and log(1 - p) by the decoder; the log-odds of its keyword in this photo, and in any; of its
        sentence: mean and lowest log p, and the length.
        """
        keyword = self.keyword_of[tokens]
        all_odds = torch.cat([logits, self.prior[-1:].expand(logits.shape[0], 1)], dim=1)
        at = keyword.clamp(min=0)
        here = all_odds.gather(1, at.flatten(1)).reshape(at.shape)
        shape = tokens.shape
        features = torch.stack(
            [
                log_probs,
                (1 - log_probs.exp()).clamp(min=_DOUBT).log(),
                here,
                self.prior[at],
                _mean(log_probs, lengths).unsqueeze(2).expand(shape),
                log_probs.amin(2, keepdim=True).expand(shape),
                lengths.to(log_probs.dtype).unsqueeze(2).expand(shape),
            ],
            dim=3,
        )
        return features, keyword >= 0


def sentence_features(odds: Tensor, named: Tensor, log_probs: Tensor, lengths: Tensor) -> Tensor:
    """What tells whether all nouns of a sentence are right: (P, K, `SENTENCE_FEATURES`).

    Where their errors were independent, all are right with q = prod_i sigmoid(odds_i): log q, log(1 - q), the number of
    nouns; and the mean log p of all words. ``odds``, ``named`` and ``log_probs`` (P, K, T), ``lengths`` (P, K).
    """
    log_all = torch.where(named, logsigmoid(odds), 0.0).sum(2)
    not_all = (1 - log_all.exp()).clamp(min=_DOUBT).log()
    count = named.to(odds.dtype).sum(2)
    return torch.stack([log_all, not_all, count, _mean(log_probs, lengths)], dim=2)


def _mean(log_probs: Tensor, lengths: Tensor) -> Tensor:
    return log_probs.sum(2) / lengths.clamp(min=1).to(log_probs.dtype)
