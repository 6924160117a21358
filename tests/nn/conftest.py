import pytest
import torch

from sightline.nn.decoder import DECODERS, Decoder
from sightline.nn.encoder import ENCODERS, Encoder
from sightline.nn.model import CaptionModel, DecoderEnsemble
from sightline.testing.decoders import FEATURE_SIZE, LOCATIONS, VOCABULARY_SIZE

# A decoder that is registered without sizes here is tested with its own, which takes longer.
SIZES = {
    "gru": {"hidden_size": 16, "embedding_size": 8, "attention_size": 12},
    "lstm": {"hidden_size": 16, "embedding_size": 8, "attention_size": 12},
    "transformer": {"hidden_size": 16, "layers": 2, "heads": 2},
}


def make_decoder(name: str, **options: object) -> Decoder:
    torch.manual_seed(0)
    options = {"dropout": 0.0, **SIZES.get(name, {}), **options}
    return quick(DECODERS[name](VOCABULARY_SIZE, FEATURE_SIZE, **options).double().eval())


def quick(module, taken: bool = True):
    """The module with every shortcut taken, or none."""
    for part in module.modules():
        if hasattr(part, "quick"):
            part.quick = taken
    return module


class _NoEncoder(Encoder):
    """Says how wide its annotation vectors would be."""

    def __init__(self, feature_size: int) -> None:
        super().__init__()
        self.feature_size = feature_size


def make_members() -> list[CaptionModel]:
    """A GRU that reads the first four of a location's `FEATURE_SIZE` numbers, and a transformer that reads the rest."""
    torch.manual_seed(0)
    gru = DECODERS["gru"](VOCABULARY_SIZE, 4, 5, 3, 6)
    transformer = DECODERS["transformer"](VOCABULARY_SIZE, 5, 8, 2, 2)
    members = [CaptionModel(_NoEncoder(4), gru), CaptionModel(_NoEncoder(FEATURE_SIZE - 4), transformer, 5)]
    return [member.eval() for member in members]


@pytest.fixture(
    params=[*({"name": name} for name in DECODERS), {"name": "gru", "query": "hidden_and_word"}, "ensemble"],
    ids=lambda param: param if isinstance(param, str) else "-".join(param.values()),
)
def decoder(request: pytest.FixtureRequest) -> Decoder:
    if request.param == "ensemble":
        return quick(DecoderEnsemble(make_members()).double())
    return make_decoder(**request.param)


@pytest.fixture(params=ENCODERS)
def encoder(request: pytest.FixtureRequest) -> torch.nn.Module:
    torch.manual_seed(0)
    return ENCODERS[request.param]().eval()


@pytest.fixture
def features() -> torch.Tensor:
    torch.manual_seed(1)
    return torch.randn(3, LOCATIONS, FEATURE_SIZE, dtype=torch.double)
