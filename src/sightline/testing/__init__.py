"""What each kind of part promises, as functions to be called from the tests of a package of plugins.

Each raises `AssertionError`, which says what promise is not kept. The package's own parts are held to the same ones.

    from sightline.testing import check_encoder


    def test_my_encoder():
        check_encoder("mine", width=16)
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sightline.testing.decoders import check_decoder
    from sightline.testing.encoders import check_encoder
    from sightline.testing.layouts import check_layout
    from sightline.testing.metrics import check_metric
    from sightline.testing.objectives import check_objective, check_penalty
    from sightline.testing.regions import check_regions
    from sightline.testing.writers import check_writer

_HOMES = {
    "check_decoder": "decoders",
    "check_encoder": "encoders",
    "check_layout": "layouts",
    "check_metric": "metrics",
    "check_objective": "objectives",
    "check_penalty": "objectives",
    "check_regions": "regions",
    "check_writer": "writers",
}
__all__ = [
    "check_decoder",
    "check_encoder",
    "check_layout",
    "check_metric",
    "check_objective",
    "check_penalty",
    "check_regions",
    "check_writer",
]


def __getattr__(name: str) -> object:
    # Loaded once they are asked for: metrics and writers are tested without torch.
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
