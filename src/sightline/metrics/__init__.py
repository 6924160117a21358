"""Caption metrics: one file each, registered by themselves, equal to what the field compares with."""

from importlib import import_module
from pkgutil import iter_modules

from sightline.metrics.registry import METRICS, SCORES, Corpus, Metric, Score, compute, metric_of, register
from sightline.metrics.tokenizer import tokenize, tokenize_corpus
from sightline.metrics.tokenizers import TOKENIZERS, tokenizer_of

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")

# The order of the field's tables; metrics that it does not know come after.
_USUAL = ("bleu", "meteor", "rouge", "cider", "diversity")
for _name in (*_USUAL, *sorted(METRICS.keys() - set(_USUAL))):
    METRICS[_name] = METRICS.pop(_name)

__all__ = [
    "METRICS",
    "SCORES",
    "TOKENIZERS",
    "Corpus",
    "Metric",
    "Score",
    "compute",
    "metric_of",
    "register",
    "tokenize",
    "tokenize_corpus",
    "tokenizer_of",
]
