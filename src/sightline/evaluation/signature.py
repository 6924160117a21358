"""The signature of scores: in one line, what their numbers depend on beside the captions, to be published with them."""

from __future__ import annotations

from collections.abc import Collection

from sightline._version import __version__
from sightline.metrics import Corpus
from sightline.metrics.cider import ORDER, SIGMA


def signature(corpus: Corpus, scores: Collection[str]) -> str:
    """The signature of the ``scores``, by name, of a corpus.

    Its form is SacreEOS's (Hu et al. 2023, arXiv 2305.12254), which made signatures for the CIDEr-D of self-critical
    training: parts joined by ``+``, their options in brackets. ``NO<EOS>``: the end of a sentence counts as no word;
    CIDEr-D's longest n-grams and sigma; the references of each photo, or the fewest and the most; the photos, from
    whose references CIDEr-D has its document frequencies; the tokenizer; the version.

    >>> signature(Corpus(["a dog"], [["a dog runs", "the dog"]]), ["CIDEr-D"])[:57]
    'NO<EOS>+Cider-D[n4,s6.0]+references[2]+photos[1]+ptb+sigh'
    """
    counts = [len(captions) for captions in corpus.references]
    each = f"{min(counts)}" if min(counts) == max(counts) else f"{min(counts)}-{max(counts)}"
    cider = [f"Cider-D[n{ORDER},s{SIGMA}]"] if "CIDEr-D" in scores else []
    parts = ["NO<EOS>", *cider, f"references[{each}]", f"photos[{len(counts)}]", corpus.tokenizer]
    return "+".join([*parts, f"sightline[{__version__}]"])
