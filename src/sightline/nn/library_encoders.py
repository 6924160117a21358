"""Encoders of timm and torchvision by their names there: any network that gives a feature map or a token a patch.

A network's photo size, its grid and the width and axis of its vectors are found by running it once, so there is no code
for a single model here.
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

# The names of the last parts of torchvision's models: their outputs are classes, no longer locations.
_CLASSIFIERS = ("classifier", "fc", "head", "heads")


class VectorLayout(NamedTuple):
    """Where the annotation vectors are in a network's output.

    Attributes:
        grid: (h, w).
        width: D.
        axis: the axis of D, in a map (B, D, h, w) or (B, h, w, D), or in tokens (B, N, D).
        skipped: number of tokens before those of the patches (class token, registers).
    """

    grid: tuple[int, int]
    width: int
    axis: int
    skipped: int = 0


class LibraryEncoder(Encoder):
    """A library's network without its classifier.

    Args:
        network: the network; its tensors keep the library's names.
        run: network and pixels -> a map or tokens.
        layout: where the annotation vectors are in that output.
        preprocessing: the library's, without its crop: attention covers the whole photo.
        published: returns the library's pretrained state.
        parts: names of the network's parts, first layer first; None to take them from the network.
    """

    def __init__(
        self,
        network: nn.Module,
        run: Callable[[Any, Tensor], Tensor],
        layout: VectorLayout,
        preprocessing: Preprocessing,
        published: Callable[[], dict[str, Tensor]],
        parts: Sequence[str] | None = None,
    ) -> None:
        super().__init__()
        self._parts = list(_parts(network)) if parts is None else parts
        self.network, self._run, self._layout, self._published = network, run, layout, published
        self.preprocessing, self.grid, self.feature_size = preprocessing, layout.grid, layout.width

    def feature_map(self, pixels: Tensor) -> Tensor:
        """(B, 3, size, size) -> (B, D, h, w)."""
        output = self._run(self.network, pixels)
        if output.dim() == 3:
            return output[:, self._layout.skipped :].transpose(1, 2).unflatten(2, self.grid)
        return output if self._layout.axis == 1 else output.permute(0, 3, 1, 2)

    def blocks(self) -> Sequence[nn.Module]:
        """The network's parts that have weights; the members of a `Sequential` or `ModuleList` count one by one."""
        parts = dict(self.network.named_modules())
        known = (parts[name] for name in self._parts if name in parts)
        return [part for part in known if any(True for _ in part.parameters())]

    def convert_published(self, published: dict[str, Tensor]) -> dict[str, Tensor]:
        """The library's tensors that this network has; those of its classifier are left out."""
        known = self.network.state_dict()
        return {f"network.{name}": tensor for name, tensor in published.items() if name in known}

    def download(self) -> dict[str, Tensor]:
        """The library's pretrained weights."""
        return self._published()


@dataclass(frozen=True)
class Library:
    """A package of networks.

    Attributes:
        package: the PyPI package to install.
        names: returns the names of its networks.
        make: one of these names -> the encoder with fresh weights.
    """

    package: str
    names: Callable[[], Sequence[str]]
    make: Callable[[str], LibraryEncoder]


def check_encoder(name: str) -> None:
    """Raise `SightlineError` unless ``name`` is a registered encoder or a network of an installed library."""
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
        SightlineError: the name is unknown, its library is not installed, or the network gives no feature map.
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
    data = timm.data.resolve_model_data_config(network)
    preprocessing = _preprocessing(data["input_size"][-1], data["mean"], data["std"], data["interpolation"])

    def run(network: Any, pixels: Tensor) -> Tensor:
        return network.forward_features(pixels)

    output = _run_once(network, run, preprocessing.size)
    attributes: Any = network  # for mypy, every attribute is a tensor or a module
    layout = _layout(f"timm/{name}", output, attributes.num_features, getattr(network, "num_prefix_tokens", 0))

    def published() -> dict[str, Tensor]:
        return dict(timm.create_model(name, pretrained=True, num_classes=0).state_dict())

    return LibraryEncoder(network, run, layout, preprocessing, published)


def _torchvision_names() -> Sequence[str]:
    from torchvision import models

    return models.list_models(module=models)


def _from_torchvision(name: str) -> LibraryEncoder:
    from torchvision import models
    from torchvision.models.feature_extraction import create_feature_extractor

    weights = models.get_model_weights(name).DEFAULT
    transforms = weights.transforms()
    preprocessing = _preprocessing(
        transforms.crop_size[0], transforms.mean, transforms.std, transforms.interpolation.value
    )
    model = models.get_model(name, weights=None)
    skipped = 1 if isinstance(model, models.VisionTransformer) else 0
    node, output = _last_spatial_node(model, preprocessing.size, skipped)
    layout = _layout(f"torchvision/{name}", output, output.shape[2 if output.dim() == 3 else 1], skipped)

    def run(network: Any, pixels: Tensor) -> Tensor:
        return network(pixels)["vectors"]

    def published() -> dict[str, Tensor]:
        return dict(weights.get_state_dict(progress=True, check_hash=True))

    network = create_feature_extractor(model, {node: "vectors"})
    return LibraryEncoder(network, run, layout, preprocessing, published, list(_parts(model)))


LIBRARIES = {
    "timm": Library("timm", _timm_names, _from_timm),
    "torchvision": Library("torchvision", _torchvision_names, _from_torchvision),
}


def _parts(network: nn.Module, prefix: str = "") -> Iterator[str]:
    """The names of a network's parts in order; lists of modules, and modules that hold such lists, are opened."""
    for name, child in network.named_children():
        # A member of a list is one part, whatever lists it holds itself.
        holds_lists = not _is_list(network) and any(map(_is_list, child.children()))
        yield from _parts(child, f"{prefix}{name}.") if _is_list(child) or holds_lists else [f"{prefix}{name}"]


def _is_list(module: nn.Module) -> bool:
    return type(module) in (nn.Sequential, nn.ModuleList)


def _preprocessing(size: int, mean: Sequence[float], std: Sequence[float], interpolation: str) -> Preprocessing:
    known = interpolation if interpolation in INTERPOLATIONS else Preprocessing.interpolation
    return Preprocessing(size, (mean[0], mean[1], mean[2]), (std[0], std[1], std[2]), known)


@torch.no_grad()
def _run_once(network: nn.Module, run: Callable[[Any, Tensor], Any], size: int) -> Any:
    """The network's output for one black photo, in evaluation mode; it is left in training mode, as it came."""
    output = run(network.eval(), torch.zeros(1, 3, size, size))
    network.train()
    return output


def _last_spatial_node(model: nn.Module, size: int, skipped: int) -> tuple[str, Tensor]:
    """The last node of a torchvision model whose output still has locations, and that output for a photo."""
    from torchvision.models.feature_extraction import create_feature_extractor, get_graph_node_names

    training, evaluating = get_graph_node_names(model)
    every = create_feature_extractor(model, train_return_nodes=training, eval_return_nodes=evaluating)
    outputs: dict[str, Any] = _run_once(every, lambda network, pixels: network(pixels), size)
    return [
        (name, output)
        for name, output in outputs.items()
        if isinstance(output, Tensor) and not name.startswith(_CLASSIFIERS) and name in training
        if (output.dim() == 4 and min(output.shape[2:]) > 1) or (skipped and output.dim() == 3 and output.shape[1] > 2)
    ][-1]


def _layout(name: str, output: object, width: int, skipped: int) -> VectorLayout:
    if isinstance(output, Tensor) and output.dim() == 4 and width in (output.shape[1], output.shape[3]):
        axis = 1 if output.shape[1] == width else 3
        rows, columns = (length for index, length in enumerate(output.shape) if index not in (0, axis))
        if rows * columns > 1:
            return VectorLayout((rows, columns), width, axis)
    if isinstance(output, Tensor) and output.dim() == 3 and output.shape[2] == width:
        side = math.isqrt(patches := output.shape[1] - skipped)
        if side > 1 and side * side == patches:
            return VectorLayout((side, side), width, 2, skipped)
    shape = " x ".join(map(str, output.shape[1:])) if isinstance(output, Tensor) else type(output).__name__
    raise SightlineError(
        f"encoder.name: {name} gives no map of the photo (its output is {shape}), so there is nothing to attend to;"
        " choose a network with a feature map, such as a ResNet, a ConvNeXt, a ViT or a Swin"
    )
