"""A model is a folder: config.json, vocabulary.json, and its weights. This file needs no torch."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Set
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sightline.errors import SightlineError
from sightline.preprocess import Preprocessing
from sightline.vocabulary import Vocabulary

FORMAT = 1
CONFIG, VOCABULARY, WEIGHTS = "config.json", "vocabulary.json", "model.safetensors"
ONNX, CARD = "model.onnx", "MODEL_CARD.md"

# What model.onnx takes and gives; shapes and meaning are told by `sightline.export.graph.to_onnx`.
INPUTS = ("pixels", "first_scores", "length_penalty", "explain")
SEARCHED = ("tokens", "log_probs", "lengths", "scores", "attention")
OUTPUTS = (*SEARCHED, "evidence")


@dataclass(frozen=True)
class ModelConfig:
    """What config.json says of a model.

    Attributes:
        encoder: name of a registered encoder.
        projection: width of the linear layer on its annotation vectors, or None.
        decoder: name of a registered decoder.
        decoder_options: its constructor's keyword arguments, sizes of vocabulary and features apart.
        grid: ``(h, w)`` of the attention.
        max_words: the longest sentence it writes.
        preprocessing: how photos must be prepared.
        training: what is known of its training (data, epochs, losses), for people to read.
        members: the models that an ensemble is made of; encoder and decoder are then named ``"ensemble"``.
    """

    encoder: str
    projection: int | None
    decoder: str
    decoder_options: Mapping[str, Any]
    grid: tuple[int, int]
    max_words: int
    preprocessing: Preprocessing
    training: Mapping[str, Any]
    members: tuple[ModelConfig, ...] = ()

    def save(self, path: Path) -> None:
        """Write config.json."""
        values = {**self._as_dict(), "format": FORMAT}
        path.write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")

    def _as_dict(self) -> dict[str, Any]:
        values = {**self.__dict__, "preprocessing": self.preprocessing.as_dict()}
        members = [member._as_dict() for member in values.pop("members")]
        return values | ({"members": members} if members else {})

    @classmethod
    def _from_dict(cls, values: dict[str, Any]) -> ModelConfig:
        prepared = values.pop("preprocessing")
        preprocessing = Preprocessing(prepared["size"], tuple(prepared["mean"]), tuple(prepared["std"]))
        height, width = values.pop("grid")
        members = tuple(map(cls._from_dict, values.pop("members", ())))
        return cls(**values, grid=(height, width), preprocessing=preprocessing, members=members)

    @classmethod
    def load(cls, path: Path) -> ModelConfig:
        """Read config.json; a missing, malformed or newer one raises `SightlineError`."""
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            version = values.pop("format")
            if version != FORMAT:
                raise SightlineError(
                    f"{path}: model format {version}, this sightline reads {FORMAT}; upgrade sightline or export again"
                )
            return cls._from_dict(values)
        except FileNotFoundError:
            raise SightlineError(
                f"{path.parent}: no model folder (no {path.name}); train or export one there"
            ) from None
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise SightlineError(f"{path}: not a model's configuration ({error!r}); train or export again") from None


def load_description(folder: Path) -> tuple[ModelConfig, Vocabulary]:
    """A model folder's configuration and vocabulary; raises `SightlineError` where either is missing or damaged."""
    if not folder.is_dir():
        raise SightlineError(f"{folder}: no such model folder")
    return ModelConfig.load(folder / CONFIG), Vocabulary.load(folder / VOCABULARY)


def identity(config: ModelConfig, vocabulary: Vocabulary) -> dict[str, str]:
    """What model.onnx records of the folder it was made for, so that a file from another folder is noticed."""
    words = "\n".join(vocabulary.words).encode()
    return {
        "sightline.format": str(FORMAT),
        "sightline.vocabulary": f"{len(vocabulary)} words, sha256 {hashlib.sha256(words).hexdigest()[:12]}",
        "sightline.grid": json.dumps(config.grid),
        "sightline.max_words": str(config.max_words),
        "sightline.preprocessing": json.dumps(config.preprocessing.as_dict()),
    }


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside ``path``: what is written there takes its place when the block ends well, or vanishes.

    Raises:
        SightlineError: it cannot be written, as where the disk is full.
    """
    temporary = path.parent / f".sightline-{secrets.token_hex(6)}{path.suffix}"
    with _told(path, temporary):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield temporary
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def _told(target: Path, temporary: Path) -> Iterator[None]:
    """A failure to write ``temporary`` as a `SightlineError` that names ``target``; failures elsewhere as they are."""
    try:
        yield
    except OSError as error:
        # What fails while it is written is not named by the system.
        if isinstance(error.filename, str) and not Path(error.filename).is_relative_to(temporary):
            raise
        reason = error.strerror or error
        raise SightlineError(f"{target}: cannot be written ({reason}); make room, or write elsewhere") from None


def make_folder(folder: Path) -> None:
    """Make a folder to write into, where it is not there; `SightlineError` where that cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SightlineError(f"{folder}: no folder can be made there ({error.strerror}); give another --out") from None
    if not os.access(folder, os.W_OK):
        raise SightlineError(f"{folder}: this folder cannot be written to; give another --out")


def replacing_bundle(folder: Path) -> AbstractContextManager[Path]:
    """`replacing_folder` for what an export writes."""
    return replacing_folder(folder, {CONFIG, VOCABULARY, ONNX, CARD}, "bundle")


@contextmanager
def replacing_folder(folder: Path, names: Set[str], what: str) -> Iterator[Path]:
    """A new temporary folder that becomes ``folder`` when the block ends well, and vanishes otherwise.

    Raises:
        SightlineError: it cannot be made, or ``folder`` exists and holds anything but files of these ``names``: it is
            then no ``what`` ("bundle"), and would be wrong to delete.
    """
    if folder.exists() and (others := _others(folder, names)):
        raise SightlineError(f"{folder}: not a {what} to replace (it holds {others}); name another folder")
    target = folder.resolve()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    except OSError as error:
        raise SightlineError(f"{folder}: cannot be written ({error.strerror}); name another folder") from None
    try:
        with _told(folder, temporary):
            (new := temporary / "new").mkdir()
            yield new
            if target.exists():
                target.rename(temporary / "old")
            new.rename(target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _others(folder: Path, names: Set[str]) -> str:
    """The first of what ``folder`` holds beside ``names``; empty if nothing."""
    if not folder.is_dir():
        return "no files: it is a file itself"
    others = sorted({path.name for path in folder.iterdir()} - names)
    return ", ".join(others[:3]) + (" and more" if len(others) > 3 else "")
