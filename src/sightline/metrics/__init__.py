"""Caption metrics, equal to pycocoevalcap's: one file each, which registers itself."""

from sightline.metrics.registry import (
    METRICS,
    Corpus,
    Score,
    check_photos,
    compute,
    is_lower_better,
    metric_of,
    quick_metrics,
    register,
    scores_of,
)
from sightline.metrics.tokenizers import TOKENIZERS, tokenize, tokenizer_of

__all__ = [
    "METRICS",
    "TOKENIZERS",
    "Corpus",
    "Score",
    "check_photos",
    "compute",
    "is_lower_better",
    "metric_of",
    "quick_metrics",
    "register",
    "scores_of",
    "tokenize",
    "tokenizer_of",
]
