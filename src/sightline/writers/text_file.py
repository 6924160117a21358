"""``photo.txt`` beside each photo, as trainers of text-to-image models read it.

kohya's scripts read the first line of the file alone (``caption_extension``), SimpleTuner and OneTrainer take every
line for a caption of its own: a caption that joins another stays on its line, after a comma, which all of them use.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sightline.errors import SightlineError
from sightline.images.formats import is_photo
from sightline.images.source import ImageSource
from sightline.writers.writer import Writer, check_folder, path_of, register_writer, replace_file

_SEPARATOR = ", "
_MAX_CHARACTERS = 1_000_000


@register_writer("txt")
@dataclass
class TextFiles(Writer):
    """A text file a photo, UTF-8, of the photo's name but for the extension; it has no place for keywords."""

    extension: str = "txt"

    def __post_init__(self) -> None:
        self.extension = self.extension.removeprefix(".")
        if not re.fullmatch(r"\w[\w.-]*", self.extension) or is_photo(f"a.{self.extension}"):
            raise SightlineError(f"--extension {self.extension}: not of a text file; use txt or caption")
        self._photos: dict[Path, Path] = {}  # of this run, by their caption file

    def is_done(self, photo: ImageSource) -> bool:
        path = self._path(photo)
        if self.existing == "skip" and _read(path):
            return True
        check_folder(path)
        return False

    def write(self, photo: ImageSource, text: str, keywords: Sequence[str] = ()) -> bool:
        path = self._path(photo)
        before = _read(path)
        content = f"{text}\n" if self.existing == "overwrite" or not before else self._joined(path, before, text)
        if content == before or (before and self.existing == "skip"):
            return False
        replace_file(path, content.encode(errors="surrogateescape"))
        return True

    def _path(self, photo: ImageSource) -> Path:
        own = path_of(photo)
        path = own.with_name(f"{own.stem}.{self.extension}")
        if (other := self._photos.setdefault(path, own)) != own:
            raise SightlineError(f"{own}: its caption would go to that of {other.name}, {path.name}; rename one photo")
        if path == own:
            raise SightlineError(f"{own}: a photo of this name would lose itself to its caption; rename it")
        return path

    def _joined(self, path: Path, before: str, text: str) -> str:
        """Every line with the caption in front or behind, but for lines that have it there."""
        if len(before) > _MAX_CHARACTERS:
            raise SightlineError(f"{path}: no caption has over {_MAX_CHARACTERS:,} characters; look at what is in it")
        lines = before.splitlines()
        if self.existing == "append":
            lines = [line if line.endswith(text) else f"{line}{_SEPARATOR}{text}" for line in lines]
        else:
            lines = [line if line.startswith(text) else f"{text}{_SEPARATOR}{line}" for line in lines]
        return "\n".join(lines) + "\n"


def _read(path: Path) -> str:
    """The file's beginning, all of a caption; ``""`` where there is none, or nothing but blanks."""
    try:
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            content = file.read(_MAX_CHARACTERS + 1)
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise SightlineError(f"{path}: cannot be read ({error.strerror}); permit it or move it away") from None
    return content if content.strip() else ""
