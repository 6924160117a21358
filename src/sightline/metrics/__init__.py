"""Caption metrics, equal to pycocoevalcap's: one file each, which registers itself."""

from importlib import import_module
from pkgutil import iter_modules

from sightline.metrics.registry import (
    METRICS,
    SCORES,
    Corpus,
    Score,
    check_photos,
    compute,
    metric_of,
    quick_metrics,
    register,
)
from sightline.metrics.tokenizers import TOKENIZERS, tokenize, tokenizer_of

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")

# The usual order in papers' tables; other metrics come after these.
_USUAL = ("bleu", "meteor", "rouge", "cider", "diversity")
for _name in (*_USUAL, *sorted(METRICS.keys() - set(_USUAL))):
    METRICS[_name] = METRICS.pop(_name)

__all__ = ["METRICS", "SCORES", "TOKENIZERS", "Corpus", "Score", "check_photos"]
__all__ += ["compute", "metric_of", "quick_metrics", "register", "tokenize", "tokenizer_of"]
