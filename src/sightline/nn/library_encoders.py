"""Encoders of timm and torchvision by their names there; a network's grid and width are found by running it once."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from sightline.errors import SightlineError
from sightline.nn.encoder import ENCODERS, Encoder
from sightline.preprocess import INTERPOLATIONS, Preprocessing

Run = Callable[[Any, Tensor], Any]
# The names of the last parts of torchvision's models: their outputs are classes, no longer locations.
_CLASSIFIERS = ("classifier", "fc", "head", "heads")


class LibraryEncoder(Encoder):
    """A library's network, its tensors named as there, without its classifier; ``parts``: names, first layer first.

    ``run``: network and pixels -> a map (B, D, h, w) or (B, h, w, D), or tokens (B, skipped + h * w, D), where those
    before the patches' (class token, registers) are skipped. The preprocessing is the library's, without its crop, as
    attention covers the whole photo.
    """

    def __init__(
        self, network: nn.Module, run: Run, skipped: int, published: Callable[[], dict[str, Tensor]], parts: list[str]
    ) -> None:
        super().__init__()
        self.network, self._run, self._skipped, self._published, self._parts = network, run, skipped, published, parts

    def feature_map(self, pixels: Tensor) -> Tensor:
        output = self._run(self.network, pixels)
        if output.dim() == 3:
            return output[:, self._skipped :].transpose(1, 2).unflatten(2, self.grid)
        return output if output.shape[1] == self.feature_size else output.permute(0, 3, 1, 2)

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
        return self._published()


def check_encoder(name: str) -> None:
    """Raise `SightlineError` unless ``name`` is a registered encoder or a network of an installed library."""
    prefix, slash, network = name.partition("/")
    if name in ENCODERS:
        return
    if prefix not in LIBRARIES or not slash:
        others = [f"{library}/NAME" for library in LIBRARIES]
        raise SightlineError(f"encoder.name: {ENCODERS.unknown(name, others)}")
    try:
        names = _names(prefix)
    except ImportError:
        raise SightlineError(f"encoder.name: {name} needs {prefix}: pip install {prefix}") from None
    base, dot, _ = network.partition(".")
    if prefix == "timm" and dot and base in names:  # which weights; a network may come with several
        names = _pretrained(base)
    if network not in names:
        near = " or ".join(f"{prefix}/{other}" for other in difflib.get_close_matches(network, names, 3))
        raise SightlineError(f"encoder.name: {prefix} has no {network!r}" + (f"; did you mean {near}?" if near else ""))


def make_encoder(name: str, options: Mapping[str, Any] | None = None) -> Encoder:
    """The encoder of this name, with fresh weights; ``options``: a registered one's keyword arguments.

    Raises:
        SightlineError: it is unknown, not installed, or gives no map of the photo.
    """
    check_encoder(name)
    prefix, _, network = name.partition("/")
    return ENCODERS[name](**(options or {})) if name in ENCODERS else LIBRARIES[prefix](network)


def _names(library: str) -> Sequence[str]:
    if library == "timm":
        import timm

        return timm.list_models()
    from torchvision import models

    return models.list_models(module=models)


def _pretrained(network: str) -> Sequence[str]:
    """NETWORK.TAG of all weights of a timm network."""
    import timm

    return timm.list_pretrained(f"{network}.*")


def _timm_features(network: Any, pixels: Tensor) -> Tensor:
    return network.forward_features(pixels)


def _from_timm(name: str) -> LibraryEncoder:
    import timm

    network: Any = timm.create_model(name, pretrained=False, num_classes=0)
    data = timm.data.resolve_model_data_config(network)
    preprocessing = _preprocessing(data["input_size"][-1], data["mean"], data["std"], data["interpolation"])
    output = _run_once(network, _timm_features, preprocessing.size)
    width, skipped = network.num_features, getattr(network, "num_prefix_tokens", 0)

    def published() -> dict[str, Tensor]:
        return timm.create_model(name, pretrained=True, num_classes=0).state_dict()

    encoder = LibraryEncoder(network, _timm_features, skipped, published, list(_parts(network)))
    encoder.grid, encoder.feature_size = _grid(f"timm/{name}", output, width, skipped), width
    encoder.preprocessing = preprocessing
    return encoder


def _from_torchvision(name: str) -> LibraryEncoder:
    from torchvision import models
    from torchvision.models.feature_extraction import create_feature_extractor

    weights = models.get_model_weights(name).DEFAULT
    transforms = weights.transforms()
    interpolation = transforms.interpolation.value
    preprocessing = _preprocessing(transforms.crop_size[0], transforms.mean, transforms.std, interpolation)
    model = models.get_model(name, weights=None)
    skipped = int(isinstance(model, models.VisionTransformer))
    node, output = _last_spatial_node(model, preprocessing.size, skipped)
    width = output.shape[2 if output.dim() == 3 else 1]
    network = create_feature_extractor(model, {node: "vectors"})
    published = partial(weights.get_state_dict, progress=True, check_hash=True)
    encoder = LibraryEncoder(network, lambda network, x: network(x)["vectors"], skipped, published, list(_parts(model)))
    encoder.grid, encoder.feature_size = _grid(f"torchvision/{name}", output, width, skipped), width
    encoder.preprocessing = preprocessing
    return encoder


# A package -> what makes the encoder of one of its names, with fresh weights.
LIBRARIES = {"timm": _from_timm, "torchvision": _from_torchvision}


def _parts(network: nn.Module, prefix: str = "") -> Iterator[str]:
    """The names of a network's parts in order; lists of modules, and modules that hold such lists, are opened."""
    for name, child in network.named_children():
        # A member of a list is one part, whatever lists it holds itself.
        holds_lists = not _is_list(network) and any(map(_is_list, child.children()))
        yield from _parts(child, f"{prefix}{name}.") if _is_list(child) or holds_lists else [f"{prefix}{name}"]


def _is_list(module: nn.Module) -> bool:
    return type(module) in (nn.Sequential, nn.ModuleList)


def _preprocessing(size: int, mean: Any, std: Any, interpolation: str) -> Preprocessing:
    known = interpolation if interpolation in INTERPOLATIONS else Preprocessing.interpolation
    return Preprocessing(size, tuple(mean), tuple(std), known)


@torch.no_grad()
def _run_once(network: nn.Module, run: Run, size: int) -> Any:
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


def _grid(name: str, output: object, width: int, skipped: int) -> tuple[int, int]:
    """The (h, w) of an output, see `LibraryEncoder`, with vectors of this width."""
    if isinstance(output, Tensor) and output.dim() == 4 and width in (output.shape[1], output.shape[3]):
        rows, columns = output.shape[2:] if output.shape[1] == width else output.shape[1:3]
        if rows * columns > 1:
            return rows, columns
    if isinstance(output, Tensor) and output.dim() == 3 and output.shape[2] == width:
        side = math.isqrt(patches := output.shape[1] - skipped)
        if side > 1 and side * side == patches:
            return side, side
    shape = " x ".join(map(str, output.shape[1:])) if isinstance(output, Tensor) else type(output).__name__
    raise SightlineError(
        f"encoder.name: {name} gives no map of the photo (its output is {shape}), so there is nothing to attend to;"
        " choose a network with a feature map, such as a ResNet, a ConvNeXt, a ViT or a Swin"
    )
