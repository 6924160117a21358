"""A description or an alt text in each photo's XMP sidecar, ``photo.jpg.xmp`` or ``photo.xmp``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from sightline.errors import SightlineError
from sightline.images.formats import identify
from sightline.images.source import ImageSource
from sightline.writers.packet import ALT_TEXT, DESCRIPTION, EMPTY, MAX_BYTES, Field, texts_in, with_text
from sightline.writers.writer import Writer, check_folder, path_of, register_writer, replace_file

_SUFFIXES = (".xmp", ".XMP")
FIELDS = {"description": DESCRIPTION, "alt": ALT_TEXT}


@register_writer("xmp")
@dataclass
class Sidecars(Writer):
    """A sidecar a photo. The photo's own bytes, and what else the sidecar holds, stay as they are."""

    field: str = "description"
    language: str = "en"
    takes: ClassVar = ("skip", "overwrite")

    def __post_init__(self) -> None:
        if not re.fullmatch("[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*", self.language):
            raise SightlineError(f"--language {self.language}: not a language's tag, such as en or pt-BR")
        self._photos: dict[Path, Path] = {}  # of this run, by their sidecar

    def is_done(self, photo: ImageSource) -> bool:
        path = self._path(photo)
        with _naming(path):
            there = texts_in(_read(path), FIELDS[self.field])
        if self.existing == "skip" and (there or _is_inside(path_of(photo), FIELDS[self.field])):
            return True
        check_folder(path)
        return False

    def write(self, photo: ImageSource, text: str) -> bool:
        path, field = self._path(photo), FIELDS[self.field]
        with _naming(path):
            before = _read(path)
            there = texts_in(before, field)
            ours = {there.get("x-default"), there.get(self.language)} == {text}
            if ours or (there and self.existing == "skip"):
                return False
            changed = with_text(before, field, text, self.language)
        replace_file(path, changed)
        return True

    def _path(self, photo: ImageSource) -> Path:
        """The sidecar that is there, else one that no other photo can have."""
        own = path_of(photo)
        with _naming(own):
            return self._beside(own)

    def _beside(self, own: Path) -> Path:
        for path in (own.with_name(f"{own.name}{suffix}") for suffix in _SUFFIXES):
            if path.exists():
                return path
        for path in (own.with_name(f"{own.stem}{suffix}") for suffix in _SUFFIXES):
            if path != own and path.exists() and self._photos.setdefault(path, own) == own:
                return path
        return own.with_name(f"{own.name}{_SUFFIXES[0]}")


def _is_inside(photo: Path, field: Field) -> bool:
    """Whether the photo's own XMP has the text, which a sidecar's would hide."""
    if not photo.is_file():
        return False
    with suppress(Exception), photo.open("rb") as file, identify(file, None) as image:  # captioning tells what is wrong
        return bool(texts_in(image.info["xmp"], field))
    return False


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Put the sidecar's name in front of what is wrong with its packet."""
    try:
        yield
    except SightlineError as error:
        raise SightlineError(f"{path}: {error}") from None
    except OSError as error:
        raise SightlineError(f"{path}: cannot be read ({error.strerror}); permit it or move it away") from None


def _read(path: Path) -> bytes:
    """The sidecar's bytes, one more than the limit at most; an empty packet where there is none."""
    try:
        with path.open("rb") as file:
            packet = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return EMPTY
    return packet if packet.strip() else EMPTY
