"""Encoders of timm and torchvision: one small network of every family, so that a new release is noticed."""

import builtins

import pytest
import torch

from sightline.errors import SightlineError
from sightline.nn.encoder import fused
from sightline.nn.library_encoders import LibraryEncoder, check_encoder, make_encoder
from sightline.training.build import load_encoder_weights
from sightline.training.recipe import load_recipe

# Name -> grid, width, side of photos; the families differ in what they give: maps with channels first or last, tokens.
FAMILIES = {
    "torchvision/squeezenet1_1": ((13, 13), 512, 224),
    "torchvision/mobilenet_v3_small": ((7, 7), 576, 224),
    "torchvision/resnet18": ((7, 7), 512, 224),
    "timm/test_resnet": ((5, 5), 96, 160),
    "timm/test_efficientnet": ((5, 5), 256, 160),
    "timm/test_convnext": ((5, 5), 64, 160),
    "timm/test_nfnet": ((5, 5), 192, 160),
    "timm/test_vit": ((10, 10), 64, 160),
    "timm/vit_xsmall_patch16_clip_224": ((14, 14), 256, 224),
    "timm/test_mambaout": ((5, 5), 64, 160),
    "timm/swin_s3_tiny_224": ((7, 7), 768, 224),
}


@pytest.fixture(scope="module", params=FAMILIES)
def encoder(request):
    pytest.importorskip(request.param.partition("/")[0], reason="pip install '.[train,timm,dev]'")
    torch.manual_seed(0)
    return request.param, make_encoder(request.param).eval()


@pytest.mark.slow
def test_it_is_what_an_encoder_promises(encoder):
    name, made = encoder
    grid, width, size = FAMILIES[name]
    assert (made.grid, made.feature_size, made.preprocessing.size) == (grid, width, size)
    pixels = torch.randn(2, 3, size, size)
    with torch.no_grad():
        vectors = made(pixels)
        assert vectors.shape == (2, grid[0] * grid[1], width)
        torch.testing.assert_close(made.feature_map(pixels).flatten(2).transpose(1, 2), vectors)
        torch.testing.assert_close(fused(made)(pixels), vectors, rtol=1e-3, atol=1e-4)
    blocks = made.blocks()
    assert len(blocks) > 3
    learning = [id(weight) for block in blocks for weight in block.parameters()]
    assert len(learning) == len(set(learning)), "no weight is in two blocks"


def test_a_cell_of_the_grid_is_where_the_photo_has_it(encoder):
    """Rows stay rows and columns columns: what changes in a corner of the photo changes most in that corner."""
    name, made = encoder
    (height, across), _, size = FAMILIES[name]
    pixels = torch.zeros(2, 3, size, size)
    pixels[1, :, : size // 4, -size // 4 :] = torch.randn(3, size // 4, size // 4)
    with torch.no_grad():
        first, second = made.feature_map(pixels)
    moved = (second - first).abs().mean(0)
    assert moved.shape == (height, across)
    top_right = moved[: height // 2, -(across // 2) :].mean()
    assert all(
        top_right > moved[rows, columns].mean()
        for rows, columns in (
            (slice(height // 2 + 1, None), slice(0, across // 2)),
            (slice(0, height // 2), slice(0, across // 2)),
            (slice(height // 2 + 1, None), slice(across // 2 + 1, None)),
        )
    )


def test_published_weights_are_taken_but_for_the_classifier(tmp_path):
    timm = pytest.importorskip("timm", reason="pip install '.[train,timm,dev]'")
    torch.manual_seed(1)
    published = timm.create_model("test_vit", pretrained=False)
    torch.save(published.state_dict(), tmp_path / "vit.pth")
    ours = make_encoder("timm/test_vit").eval()
    load_encoder_weights(ours, str(tmp_path / "vit.pth"))
    pixels = torch.randn(1, 3, 160, 160)
    with torch.no_grad():
        tokens = published.eval().forward_features(pixels)
        torch.testing.assert_close(ours(pixels), tokens[:, published.num_prefix_tokens :])
    with pytest.raises(SightlineError, match=r"vit.pth does not fit LibraryEncoder"):
        load_encoder_weights(make_encoder("timm/test_resnet"), str(tmp_path / "vit.pth"))


def test_weights_that_cannot_be_downloaded_say_so_in_one_line(monkeypatch):
    made = make_encoder("torchvision/squeezenet1_1")

    def offline() -> None:
        raise OSError("no route\nto host")

    monkeypatch.setattr(made, "_published", offline)
    with pytest.raises(SightlineError, match=r"could not be downloaded \(no route to host\).*encoder.weights=FILE"):
        load_encoder_weights(made, "download")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("timm/test_vit.nosuch", r"timm has no .test_vit\.nosuch.; did you mean timm/test_vit\.r160_in1k"),
        ("resnet18", r"none of mobilenet_v2, .*timm/NAME, torchvision/NAME"),
        ("keras/resnet18", r"none of mobilenet_v2"),
        ("torchvision/resnet19", r"torchvision has no 'resnet19'; did you mean torchvision/resnet1"),
        ("torchvision/", r"torchvision has no ''"),
    ],
)
def test_a_name_that_is_none_is_refused_in_the_recipe(name, said, tmp_path):
    (tmp_path / "recipe.yaml").write_text(f"encoder:\n  name: {name}\n")
    with pytest.raises(SightlineError, match=said) as caught:
        load_recipe(tmp_path / "recipe.yaml")
    assert "\n" not in str(caught.value)


def test_a_library_that_is_not_installed_is_named(monkeypatch):
    real = builtins.__import__

    def without_timm(name, *rest):
        if name == "timm":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without_timm)
    with pytest.raises(SightlineError, match="timm/resnet18 needs timm: pip install timm"):
        check_encoder("timm/resnet18")


def test_a_network_without_a_map_is_refused_by_name(monkeypatch):
    timm = pytest.importorskip("timm", reason="pip install '.[train,timm,dev]'")
    monkeypatch.setattr(
        type(timm.create_model("test_resnet")), "forward_features", lambda self, x: torch.zeros(len(x), 96)
    )
    with pytest.raises(SightlineError, match=r"timm/test_resnet gives no map of the photo .*96"):
        make_encoder("timm/test_resnet")


def test_a_librarys_interpolation_travels_with_it():
    made = make_encoder("torchvision/squeezenet1_1")
    assert isinstance(made, LibraryEncoder)
    assert made.preprocessing.as_dict()["interpolation"] == "bilinear"
    assert type(made.preprocessing).from_dict(made.preprocessing.as_dict()) == made.preprocessing
