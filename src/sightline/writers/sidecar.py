"""A description or an alt text, and keywords, in each photo's XMP sidecar, ``photo.jpg.xmp`` or ``photo.xmp``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from sightline.errors import SightlineError
from sightline.images.formats import identify
from sightline.images.source import ImageSource
from sightline.writers.packet import (
    ALT_TEXT,
    DESCRIPTION,
    EMPTY,
    MAX_BYTES,
    subjects_in,
    texts_in,
    with_subjects,
    with_text,
)
from sightline.writers.writer import Writer, check_folder, path_of, register_writer, replace_file

_SUFFIXES = (".xmp", ".XMP")
_AWAITED = 10_000
FIELDS = {"description": DESCRIPTION, "alt": ALT_TEXT}


@register_writer("xmp")
@dataclass
class Sidecars(Writer):
    """A sidecar a photo. The photo's own bytes, and what else the sidecar holds, stay as they are.

    Attributes:
        field: which text, one of `FIELDS`.
        language: the text's language tag.
        no_keywords: whether keywords are left out, which join those that are there.
    """

    field: str = "description"
    language: str = "en"
    no_keywords: bool = False
    takes: ClassVar = ("skip", "overwrite")

    def __post_init__(self) -> None:
        if not re.fullmatch("[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*", self.language):
            raise SightlineError(f"--language {self.language}: not a language's tag, such as en or pt-BR")
        self._photos: dict[Path, Path] = {}  # of this run, by their sidecar
        # Of photos that are about to be written: their sidecar, and the subjects in themselves.
        self._awaited: dict[Path, tuple[Path, list[str]]] = {}

    def is_done(self, photo: ImageSource) -> bool:
        path, own = self._path(photo), path_of(photo)
        with _naming(path):
            there = texts_in(_read(path), FIELDS[self.field])
        inside = EMPTY if there else _inside(own)
        if self.existing == "skip" and (there or texts_in(inside, FIELDS[self.field])):
            return True
        check_folder(path)
        if not there:
            if len(self._awaited) > _AWAITED:  # photos that nothing was written of, as it was not sure
                self._awaited.clear()
            self._awaited[own] = path, subjects_in(inside)
        return False

    def write(self, photo: ImageSource, text: str, keywords: Sequence[str] = ()) -> bool:
        own, field = path_of(photo), FIELDS[self.field]
        path, subjects = self._awaited.pop(own, None) or (self._path(photo), None)
        with _naming(path):
            before = changed = _read(path)
            there = texts_in(before, field)
            if there and self.existing == "skip":
                return False
            if {there.get("x-default"), there.get(self.language)} != {text}:
                changed = with_text(before, field, text, self.language)
            if keywords and not self.no_keywords:
                subjects = subjects_in(_inside(own)) if subjects is None else subjects
                changed = with_subjects(changed, [*([] if subjects_in(before) else subjects), *keywords])
        if changed == before:
            return False
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


def _inside(photo: Path) -> bytes:
    """The photo's own XMP, whose fields a sidecar's would hide; an empty packet where it has none that can be read."""
    if photo.is_file():
        # Captioning tells what is wrong with the photo.
        with suppress(Exception), photo.open("rb") as file, identify(file, None) as image:
            subjects_in(packet := bytes(image.info["xmp"]))
            return packet
    return EMPTY


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
