"""How heads are fitted: keywords by gradient descent, the kind and the confidences by logistic regression."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, dropout, log_softmax

from sightline.nn.heads import KeywordHead

_EPOCHS, _BATCH, _RATE, _DECAY = 20, 128, 5e-3, 0.1
# High, as the encoder knows the training photos better than any other.
_DROPPED_INPUTS, _DROPPED_HIDDEN = 0.5, 0.4
_KIND_PENALTY = 1e-3
_PENALTY = 3.0  # on a standardised weight's square, beside the sum of losses
FOLDS = 5


def fit_keywords(
    x: Tensor, there: Tensor, weights: Tensor, seed: int, progress: Callable[[int, int], None]
) -> KeywordHead:
    """A head for ``x`` (N, D), standardised, and ``there`` (N, W), 1 where a caption has the keyword.

    ``weights`` (N,): how often a photo is drawn, in proportion. The same ``seed`` gives the same head.
    """
    torch.manual_seed(seed)
    head = KeywordHead(x.shape[1], there.shape[1])
    share = (there * weights[:, None]).sum(0).div(weights.sum()).clamp(1e-4, 1 - 1e-4)
    with torch.no_grad():
        head.output.bias.copy_(share.logit())
        head.output.weight.mul_(0.1)
    optimizer = torch.optim.AdamW(head.parameters(), _RATE, weight_decay=_DECAY)
    steps = -(-len(x) // _BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _RATE, total_steps=_EPOCHS * steps)
    for epoch in range(_EPOCHS):
        for chosen in torch.multinomial(weights, len(x), replacement=True).split(_BATCH):
            hidden = head.hidden(dropout(x[chosen], _DROPPED_INPUTS)).relu()
            odds = head.output(dropout(hidden, _DROPPED_HIDDEN))
            loss = binary_cross_entropy_with_logits(odds, there[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        progress(epoch + 1, _EPOCHS)
    return head.eval()


def fit_kinds(x: Tensor, kinds: Tensor, count: int) -> nn.Linear:
    """Multinomial logistic regression of ``kinds`` int64 (N,), of ``count``, on ``x`` (N, D), standardised."""
    layer = nn.Linear(x.shape[1], count)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    optimizer = torch.optim.LBFGS(layer.parameters(), max_iter=100, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        value = cross_entropy(layer(x), kinds) + _KIND_PENALTY * layer.weight.square().sum()
        value.backward()
        return value

    optimizer.step(loss)  # type: ignore[arg-type]
    return layer


def bound_false_alarms(layer: nn.Linear, photos: Sequence[Tensor], share: float) -> None:
    """Shift the bias of "photo", the first kind, so that ``share`` of no dataset's photos are rather something else.

    ``photos``: each dataset's, (N, D). Of the one that is hardest, just this share is.
    """
    with torch.no_grad():
        log_probs = [log_softmax(layer(part), dim=1) for part in photos]
        odds = [part[:, 0] - part[:, 1:].logsumexp(1) for part in log_probs]
        layer.bias[0] -= min(part.quantile(share) for part in odds)


def fit_logistic(features: NDArray[np.float64], true: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """Logistic regression with an L2 penalty on standardised weights, by Newton's method: weights (F,) and bias.

    ``features`` (N, F), ``true`` (N,) of 0 and 1; the weights are for the features as they are.
    """
    mean, deviation = features.mean(0), features.std(0) + 1e-9
    x = np.concatenate([(features - mean) / deviation, np.ones((len(features), 1))], axis=1)
    penalty = np.full(x.shape[1], _PENALTY)
    penalty[-1] = 1e-3
    weights = np.zeros(x.shape[1])
    for _ in range(100):
        p = 1 / (1 + np.exp(-np.clip(x @ weights, -30, 30)))
        gradient = x.T @ (p - true) + penalty * weights
        step = np.linalg.solve((x * (p * (1 - p))[:, None]).T @ x + np.diag(penalty), gradient)
        weights = weights - step / max(1.0, float(np.abs(step).max()))  # far from the optimum, no further than 1
        if np.abs(step).max() < 1e-8:
            break
    return weights[:-1] / deviation, float(weights[-1] - (weights[:-1] * mean / deviation).sum())


def cross_fitted(
    features: NDArray[np.float64], true: NDArray[np.float64], folds: NDArray[np.int64]
) -> NDArray[np.float64]:
    """(N,): log-odds of each entry, by a regression that has not seen its fold; ``folds`` (N,), 0 to `FOLDS` - 1."""
    odds = np.zeros(len(true))
    for fold in range(FOLDS):
        inside = folds == fold
        weights, bias = fit_logistic(features[~inside], true[~inside])
        odds[inside] = features[inside] @ weights + bias
    return odds
