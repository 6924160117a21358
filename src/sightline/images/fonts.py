"""Font files of this machine that can draw a text, whatever its script."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from functools import cache, lru_cache
from pathlib import Path

from PIL import ImageFont

# Fonts of most Linux, macOS and Windows machines, which Pillow finds by name: for many scripts, then for Han characters
# and kana, for India's scripts, for Thai.
_USUAL = (
    *("DejaVuSans.ttf", "NotoSans-Regular.ttf", "Arial.ttf", "arial.ttf", "Arial Unicode.ttf"),
    *("NotoSansCJK-Regular.ttc", "wqy-zenhei.ttc", "PingFang.ttc", "Hiragino Sans GB.ttc", "msyh.ttc"),
    *("NotoSansDevanagari-Regular.ttf", "Kohinoor.ttc", "Nirmala.ttc", "Nirmala.ttf"),
    *("NotoSansThai-Regular.ttf", "Garuda.ttf", "Thonburi.ttc", "leelawui.ttf"),
)
_SUFFIXES = {".ttf", ".otf", ".ttc"}


def font_file(text: str) -> str | None:
    """The path of a font with all letters of ``text``: a usual one, or else any that is installed; None if none has."""
    return _font_file(frozenset(filter(str.isalnum, text)))


def fonts_with(text: str) -> tuple[str, ...]:
    """The paths of all installed fonts that have the letters of ``text``."""
    letters = frozenset(filter(str.isalnum, text))
    return tuple(path for path in _installed_fonts() if _has_letters(path, letters))


@cache
def usual_fonts() -> tuple[str, ...]:
    """The files of the usual fonts that this machine has, in order of preference."""
    paths = []
    for name in _USUAL:
        with suppress(OSError):
            paths.append(str(ImageFont.truetype(name).path))
    return tuple(paths)


@lru_cache(maxsize=256)
def _font_file(letters: frozenset[str]) -> str | None:
    paths = (path for fonts in (usual_fonts, _installed_fonts) for path in fonts())
    return next((path for path in paths if _has_letters(path, letters)), None)


@cache
def _installed_fonts() -> tuple[str, ...]:
    """Every font file of this machine, regular styles before bold and slanted ones, which have longer names."""
    paths = [path for folder in _font_folders() for path in folder.rglob("*") if path.suffix.lower() in _SUFFIXES]
    paths.sort(key=lambda path: ("regular" not in path.name.lower(), len(path.name), path.name))
    return tuple(map(str, paths))


def _font_folders() -> list[Path]:
    if sys.platform == "win32":
        return [Path(os.environ.get("WINDIR", "C:/Windows")) / "Fonts"]
    if sys.platform == "darwin":
        return [Path("/System/Library/Fonts"), Path("/Library/Fonts"), Path.home() / "Library" / "Fonts"]
    shared = os.environ.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share"
    own = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return [Path(folder) / "fonts" for folder in (own, *shared.split(":"))]


def _has_letters(path: str, letters: frozenset[str]) -> bool:
    try:
        font = ImageFont.truetype(path, 16, layout_engine=ImageFont.Layout.BASIC)
        missing = bytes(font.getmask("\uffff"))  # a letter without a glyph is drawn like this non-character
        return all(bytes(font.getmask(letter)) != missing for letter in letters)
    except OSError:  # of a kind that FreeType does not read at this size
        return False
