"""Encoders of timm and torchvision, by their names there: whatever gives a map of the photo, or a token for a patch.

What a library's model is like (size of photos, where its map is, how wide its vectors are) is found by running it once,
so nothing here knows one model from another.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

import sightline.nn.efficientnet_lite  # noqa: F401  (it registers its encoders)
from sightline.errors import SightlineError
from sightline.nn.encoder import ENCODERS, Encoder
from sightline.preprocess import INTERPOLATIONS, Preprocessing

# What torchvision's models end with; what they give there is of classes, no longer of places.
_CLASSIFIERS = ("classifier", "fc", "head", "heads")


class Places(NamedTuple):
    """Where in a network's result the annotation vectors are.

    Attributes:
        grid: (h, w).
        width: D.
        axis: that of D, in a map (B, D, h, w) or (B, h, w, D), or in tokens (B, N, D).
        skipped: how many tokens come before those of patches.
    """

    grid: tuple[int, int]
    width: int
    axis: int
    skipped: int = 0


class LibraryEncoder(Encoder):
    """A library's network without its classifier.

    Args:
        network: has the library's names for its weights.
        run: the network and pixels -> a map or tokens.
        places: where the vectors are in these.
        preprocessing: the library's, but for its crop: all of the photo is shown, for attention lies over all of it.
        published: gives the library's weights for it.
        parts: names of the network's parts in the order in which pixels pass them; None to find them in it.
    """

    def __init__(
        self,
        network: nn.Module,
        run: Callable[[Any, Tensor], Tensor],
        places: Places,
        preprocessing: Preprocessing,
        published: Callable[[], dict[str, Tensor]],
        parts: Sequence[str] | None = None,
    ) -> None:
        super().__init__()
        self._parts = list(_parts(network)) if parts is None else parts
        self.network, self._run, self._places, self._published = network, run, places, published
        self.preprocessing, self.grid, self.feature_size = preprocessing, places.grid, places.width

    def feature_map(self, pixels: Tensor) -> Tensor:
        """(B, 3, size, size) -> (B, D, h, w)."""
        found = self._run(self.network, pixels)
        if found.dim() == 3:
            return found[:, self._places.skipped :].transpose(1, 2).unflatten(2, self.grid)
        return found if self._places.axis == 1 else found.permute(0, 3, 1, 2)

    def blocks(self) -> Sequence[nn.Module]:
        """The network's parts that have weights, those that stand in rows one by one."""
        parts = dict(self.network.named_modules())
        found = (parts[name] for name in self._parts if name in parts)
        return [part for part in found if any(True for _ in part.parameters())]

    def named_here(self, published: dict[str, Tensor]) -> dict[str, Tensor]:
        """Those of the library's tensors that this network has; its classifier's are left out."""
        known = self.network.state_dict()
        return {f"network.{name}": tensor for name, tensor in published.items() if name in known}

    def download(self) -> dict[str, Tensor]:
        """As `Encoder.download`."""
        return self._published()


@dataclass(frozen=True)
class Library:
    """A package of networks.

    Attributes:
        package: what is to be installed.
        names: gives those of its networks.
        make: one of these names -> the network with fresh weights.
    """

    package: str
    names: Callable[[], Sequence[str]]
    make: Callable[[str], LibraryEncoder]


def check_encoder(name: str) -> None:
    """Raise `SightlineError` where a name is of none of our encoders, nor of a network of a library that is there."""
    prefix, slash, network = name.partition("/")
    if not slash and name in ENCODERS.names():
        return
    if prefix not in LIBRARIES or not slash:
        libraries = ", ".join(f"{library}/NAME" for library in LIBRARIES)
        raise SightlineError(f"encoder.name: {name!r} is none of {', '.join(ENCODERS.names())}, {libraries}")
    library = LIBRARIES[prefix]
    try:
        names = library.names()
    except ImportError:
        raise SightlineError(f"encoder.name: {name} needs {library.package}: pip install {library.package}") from None
    if network.partition(".")[0] not in names:
        near = " or ".join(f"{prefix}/{other}" for other in difflib.get_close_matches(network, names, 3))
        raise SightlineError(
            f"encoder.name: {library.package} has no {network!r}" + (f"; did you mean {near}?" if near else "")
        )


def make_encoder(name: str) -> Encoder:
    """The encoder of this name in a recipe, with fresh weights.

    Raises:
        SightlineError: there is none of this name, its library is not installed, or it gives no map of the photo.
    """
    check_encoder(name)
    prefix, slash, network = name.partition("/")
    return LIBRARIES[prefix].make(network) if slash else ENCODERS[name]()


def _timm_names() -> Sequence[str]:
    import timm

    return timm.list_models()


def _from_timm(name: str) -> LibraryEncoder:
    import timm

    network = timm.create_model(name, pretrained=False, num_classes=0)
    said = timm.data.resolve_model_data_config(network)
    preprocessing = _preprocessing(said["input_size"][-1], said["mean"], said["std"], said["interpolation"])

    def run(network: Any, pixels: Tensor) -> Tensor:
        return network.forward_features(pixels)

    found = _tried(network, run, preprocessing.size)
    said_of_itself: Any = network  # for mypy, every attribute is a tensor or a module
    places = _places(f"timm/{name}", found, said_of_itself.num_features, getattr(network, "num_prefix_tokens", 0))

    def published() -> dict[str, Tensor]:
        return dict(timm.create_model(name, pretrained=True, num_classes=0).state_dict())

    return LibraryEncoder(network, run, places, preprocessing, published)


def _torchvision_names() -> Sequence[str]:
    from torchvision import models

    return models.list_models(module=models)


def _from_torchvision(name: str) -> LibraryEncoder:
    from torchvision import models
    from torchvision.models.feature_extraction import create_feature_extractor

    weights = models.get_model_weights(name).DEFAULT
    said = weights.transforms()
    preprocessing = _preprocessing(said.crop_size[0], said.mean, said.std, said.interpolation.value)
    model = models.get_model(name, weights=None)
    skipped = 1 if isinstance(model, models.VisionTransformer) else 0
    node, found = _last_of_places(model, preprocessing.size, skipped)
    places = _places(f"torchvision/{name}", found, found.shape[2 if found.dim() == 3 else 1], skipped)

    def run(network: Any, pixels: Tensor) -> Tensor:
        return network(pixels)["places"]

    def published() -> dict[str, Tensor]:
        return dict(weights.get_state_dict(progress=True, check_hash=True))

    network = create_feature_extractor(model, {node: "places"})
    return LibraryEncoder(network, run, places, preprocessing, published, list(_parts(model)))


LIBRARIES = {
    "timm": Library("timm", _timm_names, _from_timm),
    "torchvision": Library("torchvision", _torchvision_names, _from_torchvision),
}


def _parts(network: nn.Module, prefix: str = "") -> Iterator[str]:
    """The names of a network's parts in their order: of rows, and of what holds rows, the parts of these."""
    for name, child in network.named_children():
        # What stands in a row is one part, whatever rows it has inside.
        holds_rows = not _is_row(network) and any(map(_is_row, child.children()))
        yield from _parts(child, f"{prefix}{name}.") if _is_row(child) or holds_rows else [f"{prefix}{name}"]


def _is_row(module: nn.Module) -> bool:
    return type(module) in (nn.Sequential, nn.ModuleList)


def _preprocessing(size: int, mean: Sequence[float], std: Sequence[float], interpolation: str) -> Preprocessing:
    known = interpolation if interpolation in INTERPOLATIONS else Preprocessing.interpolation
    return Preprocessing(size, (mean[0], mean[1], mean[2]), (std[0], std[1], std[2]), known)


@torch.no_grad()
def _tried(network: nn.Module, run: Callable[[Any, Tensor], Any], size: int) -> Any:
    """What the network gives for one black photo; it is left in training mode, as networks are made."""
    found = run(network.eval(), torch.zeros(1, 3, size, size))
    network.train()
    return found


def _last_of_places(model: nn.Module, size: int, skipped: int) -> tuple[str, Tensor]:
    """The last step of a model of torchvision that still tells places apart, and what it gives for a photo."""
    from torchvision.models.feature_extraction import create_feature_extractor, get_graph_node_names

    training, evaluating = get_graph_node_names(model)
    every = create_feature_extractor(model, train_return_nodes=training, eval_return_nodes=evaluating)
    steps: dict[str, Any] = _tried(every, lambda network, pixels: network(pixels), size)
    return [
        (name, found)
        for name, found in steps.items()
        if isinstance(found, Tensor) and not name.startswith(_CLASSIFIERS) and name in training
        if (found.dim() == 4 and min(found.shape[2:]) > 1) or (skipped and found.dim() == 3 and found.shape[1] > 2)
    ][-1]


def _places(name: str, found: object, width: int, skipped: int) -> Places:
    if isinstance(found, Tensor) and found.dim() == 4 and width in (found.shape[1], found.shape[3]):
        axis = 1 if found.shape[1] == width else 3
        height, across = (length for place, length in enumerate(found.shape) if place not in (0, axis))
        if height * across > 1:
            return Places((height, across), width, axis)
    if isinstance(found, Tensor) and found.dim() == 3 and found.shape[2] == width:
        side = math.isqrt(patches := found.shape[1] - skipped)
        if side > 1 and side * side == patches:
            return Places((side, side), width, 2, skipped)
    shape = " x ".join(map(str, found.shape[1:])) if isinstance(found, Tensor) else type(found).__name__
    raise SightlineError(
        f"encoder.name: {name} gives no map of the photo (but {shape}), so attention would have nowhere to look;"
        " take one that does, such as a ResNet, a ConvNeXt, a ViT or a Swin"
    )
