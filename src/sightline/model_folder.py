"""Model folders (config.json, vocabulary.json and the weights), and how files and folders are replaced as a whole."""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping, Set
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sightline.errors import SightlineError
from sightline.preprocess import Preprocessing
from sightline.vocabulary import Vocabulary

FORMAT = 1
CONFIG, VOCABULARY, WEIGHTS = "config.json", "vocabulary.json", "model.safetensors"
ONNX, CARD = "model.onnx", "MODEL_CARD.md"

# The names of model.onnx's inputs and outputs; for shapes and meaning see `sightline.export.graph.to_onnx`.
INPUTS = ("pixels", "first_scores", "length_penalty", "explain")
ALLOW_REPEATS = "allow_repeats"  # an input that may be left out, and that some models lack
SEARCHED = ("tokens", "log_probs", "lengths", "scores", "attention")
OUTPUTS = (*SEARCHED, "evidence")
# After them, of a model that `sightline calibrate` made, those of these that it has learned.
HEADS = ("confidence", "word_confidence", "kinds", "keywords")

# No space left on the disk, in the quota, or up to the limit on a file's size; a failing disk, or a read-only one.
_CANNOT_WRITE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS}

# Of config.json where they are empty.
_LEFT_OUT = ("members", "activation_ranges", "heads", "nouns", "repeats", "encoder_options", "plugins")

# How a training's record is told to people.
_LABELS = {
    "split_source": "splits",
    "train_photos": "photos to train on",
    "val_photos": "photos to validate",
    "weights": "times shown an epoch",
    "init": "started from",
    "kept_epoch": "epoch kept",
    "val_cider": "validation CIDEr",
}
_SCORES = ("val_cider", "val_CIDEr", "val_BLEU", "val_ROUGE", "val_METEOR")
_SPLIT_SOURCES = {"files": "the dataset's own", "derived": "by file names"}


@dataclass(frozen=True)
class ModelConfig:
    """The content of config.json.

    Attributes:
        encoder, decoder: registered names, or ``"ensemble"`` if there are ``members``, the models of one.
        encoder_options: a registered encoder's keyword arguments.
        projection: width of the linear layer on the annotation vectors, or None.
        decoder_options: the decoder's keyword arguments, without the sizes of vocabulary and features.
        grid: ``(h, w)`` of the attention.
        max_words: the longest sentence it writes.
        training: data, epochs, losses and the like, for people to read.
        activation_ranges: a convolution's name in the encoder -> ``((low, high), (low, high))``, between which values
            its input and its output lie, for `sightline.nn.quantization`; empty where they were not gathered.
        heads: the words that `sightline calibrate` has taught the model about: ``"nouns"``, those of the vocabulary
            that name things; ``"kinds"``, the first of them "photo", and ``"keywords"``, what those outputs of
            model.onnx are the probabilities of; ``"others"``, nouns that are no keywords. Empty where it has not.
        plugins: a part from outside the package, such as ``"encoder tiny"`` -> where it came from, for messages only.
        nouns: the words of the vocabulary that name things, as the boxes of the training photos tell, for
            `sightline.nn.repeats`; empty where there were none.
        repeats: whether sentences may repeat themselves, as many of those do that the model learned from.
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
    activation_ranges: Mapping[str, Any] = field(default_factory=dict)
    heads: Mapping[str, Any] = field(default_factory=dict)
    encoder_options: Mapping[str, Any] = field(default_factory=dict)
    plugins: Mapping[str, Any] = field(default_factory=dict)
    nouns: tuple[str, ...] = ()
    repeats: bool = False

    @property
    def known_nouns(self) -> tuple[str, ...]:
        """The words of the vocabulary that name things, whether its training or `sightline calibrate` told."""
        return self.nouns or tuple(self.heads.get("nouns", ()))

    def save(self, path: Path) -> None:
        """Write config.json."""
        content = json.dumps({**self._as_dict(), "format": FORMAT}, indent=2, ensure_ascii=False)
        path.write_text(content + "\n", encoding="utf-8")

    def _as_dict(self) -> dict[str, Any]:
        values = {**self.__dict__, "preprocessing": self.preprocessing.as_dict()}
        values["members"] = [member._as_dict() for member in self.members]
        # What a model lacks is left out, so that versions without these keys read it too.
        return {key: value for key, value in values.items() if value or key not in _LEFT_OUT}

    @classmethod
    def _from_dict(cls, values: dict[str, Any]) -> ModelConfig:
        preprocessing = Preprocessing.from_dict(values.pop("preprocessing"))
        height, width = values.pop("grid")
        members = tuple(map(cls._from_dict, values.pop("members", ())))
        heads = {name: tuple(map(str, words)) for name, words in values.pop("heads", {}).items()}
        nouns = tuple(map(str, values.pop("nouns", ())))
        ranges = {
            name: (_range(*before), _range(*after))
            for name, (before, after) in values.pop("activation_ranges", {}).items()
        }
        plugins = dict(values.pop("plugins", {}))
        return cls(
            **values,
            grid=(height, width),
            preprocessing=preprocessing,
            members=members,
            activation_ranges=ranges,
            heads=heads,
            plugins=plugins,
            nouns=nouns,
        )

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
            message = f"{path.parent}: no model folder (no {path.name}); train or export one there"
            raise SightlineError(message) from None
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise SightlineError(f"{path}: not a model's configuration ({error!r}); train or export again") from None


def _range(low: float, high: float) -> tuple[float, float]:
    if not -math.inf < low <= 0 <= high < math.inf:
        raise ValueError(f"[{low}, {high}] is no range of an activation")
    return float(low), float(high)


def load_description(folder: Path) -> tuple[ModelConfig, Vocabulary]:
    """A model folder's configuration and vocabulary; raises `SightlineError` where either is missing or damaged."""
    if not folder.is_dir():
        raise SightlineError(f"{folder}: no such model folder")
    return ModelConfig.load(folder / CONFIG), Vocabulary.load(folder / VOCABULARY)


def identity(config: ModelConfig, vocabulary: Vocabulary) -> dict[str, str]:
    """Metadata of model.onnx that identifies the folder it was made for, so that one of another folder is noticed."""
    digest = _digest("\n".join(vocabulary.words))
    return {
        "sightline.format": str(FORMAT),
        "sightline.vocabulary": f"{len(vocabulary)} {vocabulary.unit}, sha256 {digest}",
        "sightline.grid": json.dumps(config.grid),
        "sightline.max_words": str(config.max_words),
        "sightline.preprocessing": json.dumps(config.preprocessing.as_dict()),
        "sightline.heads": f"sha256 {_digest(json.dumps(config.heads))}" if config.heads else "",
    }


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


@contextmanager
def naming_write_errors(path: Path) -> Iterator[None]:
    """Raise `SightlineError` naming ``path`` where the block fails because its disk is full, broken or read-only."""
    try:
        yield
    except OSError as error:
        if error.errno not in _CANNOT_WRITE:
            raise
        raise SightlineError(f"{path}: cannot be written ({error.strerror}); make room or name another place") from None


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A new temporary file beside ``path`` that replaces it when the block ends well, and is deleted otherwise.

    Its permissions are the umask's, less what a file at ``path`` does not permit. Raises `SightlineError` if nothing
    can be written there, or the disk is full; what was at ``path`` is still there.
    """
    temporary = path.parent / f".sightline-{secrets.token_hex(8)}{path.suffix}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Created with 0o666, so that the kernel applies the umask: to read it, all threads' umask would have to be set.
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        mode = _mode(temporary, path)
    except OSError as error:
        raise SightlineError(f"{path}: cannot be written ({error.strerror}); name another place") from None
    try:
        with naming_write_errors(path):
            yield temporary
            # Some file systems report only now that they are full; and the name must not be on disk before the content.
            with temporary.open("r+b") as written:
                os.fsync(written)
            temporary.chmod(mode)  # a library may have written a file of its own there
            with _naming_open_files(path):
                temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def _naming_open_files(path: Path) -> Iterator[None]:
    """Turn a refusal to rename, as Windows' of what a program has open, into a `SightlineError` that names ``path``."""
    try:
        yield
    except PermissionError as error:
        reason = f"{path}: cannot be replaced ({error.strerror})"
        raise SightlineError(f"{reason}; close it where it is open, or name another place") from None


def _mode(new: Path, old: Path) -> int:
    """The permissions of ``new``, or where ``old`` exists, those that both have."""
    mode = stat.S_IMODE(new.stat().st_mode)
    return mode & stat.S_IMODE(old.stat().st_mode) if old.exists() else mode


def make_folder(folder: Path) -> None:
    """Make a folder to write into, if it is not there; raises `SightlineError` where that is impossible."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SightlineError(f"{folder}: no folder can be made there ({error.strerror}); give another --out") from None
    if not os.access(folder, os.W_OK):
        raise SightlineError(f"{folder}: this folder cannot be written to; give another --out")


@contextmanager
def replacing_folder(folder: Path, names: Set[str], what: str) -> Iterator[Path]:
    """A new temporary folder that becomes ``folder`` when the block ends well, and is deleted otherwise.

    Its permissions are the umask's, less what an existing ``folder`` does not permit. Raises `SightlineError` if it
    cannot be made, the disk is full, or ``folder`` holds other files than ``names``, and so is no ``what`` ("bundle").
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
        with naming_write_errors(folder):
            (new := temporary / "new").mkdir()
            yield new
            new.chmod(_mode(new, target))
            with _naming_open_files(folder):
                if target.exists():
                    target.rename(temporary / "old")
                new.rename(target)
    finally:
        if (temporary / "old").exists() and not target.exists():  # a failure or an interruption between the two
            (temporary / "old").rename(target)
        shutil.rmtree(temporary, ignore_errors=True)


def _others(folder: Path, names: Set[str]) -> str:
    """The first few files in ``folder`` that have none of these ``names``; empty if there are none."""
    if not folder.is_dir():
        return "no files: it is a file itself"
    others = sorted({path.name for path in folder.iterdir()} - names)
    return ", ".join(others[:3]) + (" and more" if len(others) > 3 else "")


def training_in_words(training: Mapping[str, Any]) -> dict[str, str]:
    """What config.json records of a training, for people: name -> value in words; what was not done is left out.

    Values of several datasets, or of an ensemble's members where these differ, stand one after another.

    >>> training_in_words({"data": ["a", "b"], "train_photos": [6000, 20], "init": None, "val_cider": 0.6448})
    {'data': 'a; b', 'photos to train on': '6,000; 20', 'validation CIDEr': '64.48'}
    """
    told = {}
    for name, value in training.items():
        once_each = name == "weights" and set(map(str, _listed(value))) == {"1.0"}
        if name != "fingerprint" and value is not None and not once_each:
            label = _LABELS.get(name, name.replace("val_", "validation ").replace("_", " "))
            told[label] = _in_words(value, 100 if name.startswith(_SCORES) else 1)  # scores as papers print them
    return told


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


def _in_words(value: object, scale: int = 1) -> str:
    match value:
        case [str(), *_] if len(set(map(str, value))) == 1:  # the same of all
            return _in_words(value[0])
        case list():
            return "; ".join(_in_words(each, scale) for each in value)
        case dict():
            return ", ".join(f"{name.replace('_', ' ')} {_in_words(each)}" for name, each in value.items())
        case None:
            return "nothing"
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case float():
            return f"{scale * value:.2f}" if scale > 1 else f"{value:.4g}"
        case _:
            return _SPLIT_SOURCES.get(str(value), str(value))


def as_path(path: object) -> Path:
    """A path as a person may pass it; `SightlineError` if it is none."""
    if not isinstance(path, str | os.PathLike) or isinstance(path, bytes):
        raise SightlineError(f"{path!r}: not a path; pass a string or a Path")
    return Path(path)


def cache_folder(kind: str) -> Path:
    """``sightline/KIND`` in the user's cache folder."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sightline" / kind
