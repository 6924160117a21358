"""Sheets on disk, which say of themselves that they are none of the photos among which they may lie."""

from __future__ import annotations

from pathlib import Path

from PIL import Image, PngImagePlugin

from sightline.model_folder import replacing

# As PNG stores a text: keyword, NUL, value. Pillow writes it before the pixels.
_KEYWORD, _VALUE = "Software", "sightline explain"
_MARK = f"tEXt{_KEYWORD}\0{_VALUE}".encode()
_HEAD = 256


def save_sheet(path: Path, sheet: Image.Image) -> None:
    """Write a sheet as PNG, in place of what is there, whole or not at all; raises `SightlineError` if it cannot be."""
    info = PngImagePlugin.PngInfo()
    info.add_text(_KEYWORD, _VALUE)
    with replacing(path) as temporary:
        sheet.save(temporary, "PNG", pnginfo=info)


def is_sheet(path: Path) -> bool:
    """Whether a file is a sheet that `save_sheet` wrote; False where it cannot be read."""
    if path.suffix.lower() != ".png":
        return False
    try:
        with path.open("rb") as file:
            return _MARK in file.read(_HEAD)
    except OSError:
        return False
