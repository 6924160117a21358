"""Font files of this machine that can draw a text, whatever its script."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from functools import cache, lru_cache
from pathlib import Path

from PIL import ImageFont

# On most Linux, macOS and Windows machines; first those of many scripts, then of Han characters and kana, of India's
# scripts, of Thai. Pillow finds them by name.
_USUAL = (
    *("DejaVuSans.ttf", "NotoSans-Regular.ttf", "Arial.ttf", "arial.ttf", "Arial Unicode.ttf"),
    *("NotoSansCJK-Regular.ttc", "wqy-zenhei.ttc", "PingFang.ttc", "Hiragino Sans GB.ttc", "msyh.ttc"),
    *("NotoSansDevanagari-Regular.ttf", "Kohinoor.ttc", "Nirmala.ttc", "Nirmala.ttf"),
    *("NotoSansThai-Regular.ttf", "Garuda.ttf", "Thonburi.ttc", "leelawui.ttf"),
)
_SUFFIXES = {".ttf", ".otf", ".ttc"}


def font_file(text: str) -> str | None:
    """The path of a font with all letters of ``text``: a usual one, or else any that is installed; None if none has."""
    return _font_file(frozenset(character for character in text if character.isalnum()))


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
    for fonts in (usual_fonts, _installed_fonts):
        for path in fonts():
            if _letters_in(path, letters) == letters:
                return path
    return None


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


def _letters_in(path: str, letters: frozenset[str]) -> frozenset[str] | None:
    """Those of ``letters`` that a font has; None if it cannot be read."""
    try:
        font = ImageFont.truetype(path, 16, layout_engine=ImageFont.Layout.BASIC)
        missing = bytes(font.getmask("\uffff"))  # a letter without a glyph is drawn like this non-character
        return frozenset(letter for letter in letters if bytes(font.getmask(letter)) != missing)
    except OSError:  # of a kind that FreeType does not read at this size
        return None
