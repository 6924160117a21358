"""`sightline explain`: where the model looked, as an image a photo and one web page for all."""

from __future__ import annotations

import io
import math
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

import click
from PIL import Image, PngImagePlugin

from sightline.cli.options import PATH, max_megapixels_option, model_option, photos_argument, search_options
from sightline.cli.streams import complain, put, remark
from sightline.errors import SightlineError
from sightline.images.containers import loaded
from sightline.images.find import SHEET_KEYWORD, SHEET_VALUE, PhotoFinder, is_sheet
from sightline.images.source import ImageSource, ParquetSource, name_of

if TYPE_CHECKING:
    from sightline.caption import Caption
    from sightline.preprocess import Photo

PAGE = "index.html"
SHEET_BYTES = 250_000
_SMOOTH = Image.Resampling.LANCZOS
_WINDOWS = sys.platform == "win32"
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)


@click.command()
@photos_argument
@model_option
@click.option("--out", type=PATH, metavar="FOLDER", default=Path("explained"), help="Where to write.")
@search_options
@max_megapixels_option
@click.option("--evidence", is_flag=True, help="Show what each word rests on.")
@click.option("--font", type=PATH, help="A .ttf or .otf file for scripts the images lack.")
def explain(photos: tuple[str, ...], model: Path | None, out: Path, font: Path | None, **options: Any) -> None:
    """Show where the model looked for every word: FOLDER/<photo>.png for each photo, FOLDER/index.html for all.

    PHOTO: Photos, folders, patterns, WebDataset's shards (.tar), Parquet, URLs, or - for a list on stdin.

    Much of what a model looked at may not have mattered. --evidence lights the places without which a word would have
    been less likely; it takes several times as long.

    A photo that cannot be read is named on stderr, with the reason, and the others are explained; the exit status is
    then 1. Interrupted, it leaves a page of those it finished.
    """
    from sightline.captioner import load
    from sightline.explain import write_page
    from sightline.explain.page import is_page
    from sightline.model_folder import make_folder

    finder = PhotoFinder(photos, complain)
    sources = list(finder)
    if not sources:
        raise click.exceptions.Exit(1) if finder.left_out else finder.nothing_found()
    captioner = load(model)
    make_folder(out)
    if (out / PAGE).exists() and not is_page(out / PAGE):
        raise SightlineError(f"{out / PAGE}: not a page that explain wrote, and would be lost; give another --out")
    failures: list[SightlineError] = []
    with closing(captioner.stream(loaded(sources), **options)) as results:  # type: ignore[type-var]
        drawn = _drawn(_captioned(results, failures), sheet_paths(out, sources), font)
        count = write_page(out / PAGE, drawn)
    put(f"{out / PAGE}: {count} {'photo' if count == 1 else 'photos'}")
    if failures or finder.left_out:
        raise click.exceptions.Exit(1)


def sheet_paths(folder: Path, photos: Sequence[ImageSource]) -> dict[str, Path]:
    """A PNG path in ``folder`` for each photo's name; no two are alike, even where case is ignored; none is a photo."""
    taken = {_identity(Path(photo.file)) for photo in photos if photo.file}
    paths: dict[str, Path] = {}
    for photo in photos:
        stem = PurePath(photo.name).stem
        if isinstance(photo, ParquetSource):
            stem = f"{PurePath(photo.path).stem}-{photo.row}"
        if _WINDOWS:  # what cannot be in a file's name there, and the names of devices
            stem = re.sub(r'[<>:"/\\|?*\0-\x1f]', "_", stem)
            stem = f"_{stem}" if _DEVICES.match(stem) else stem
        path, number = folder / f"{stem}.png", 1
        while _identity(path) in taken or (os.path.lexists(path) and not is_sheet(path)):
            number += 1
            path = folder / f"{stem}-{number}.png"
        taken.add(_identity(path))
        paths[photo.name] = path
    return paths


def save_sheet(path: Path, sheet: Image.Image) -> None:
    """Write a sheet as PNG that `is_sheet` knows again, whole or not at all; raises `SightlineError` if it cannot.

    It has 256 colours, which differ little from all to the eye, and is made smaller if it takes over `SHEET_BYTES`.
    """
    from sightline.model_folder import replacing

    info = PngImagePlugin.PngInfo()
    info.add_text(SHEET_KEYWORD, SHEET_VALUE)
    size = 2 * SHEET_BYTES
    while size > SHEET_BYTES:
        file = io.BytesIO()
        sheet.quantize(256, Image.Quantize.FASTOCTREE).save(file, "PNG", pnginfo=info)
        size, scale = file.tell(), 0.95 * math.sqrt(SHEET_BYTES / file.tell())
        if size > SHEET_BYTES:
            sheet = sheet.resize((max(1, int(sheet.width * scale)), max(1, int(sheet.height * scale))), _SMOOTH)
    with replacing(path) as temporary:
        temporary.write_bytes(file.getvalue())


def _identity(path: Path) -> str:
    return str(path.resolve()).casefold()


def _captioned(results: Iterable[Caption | SightlineError], failures: list[SightlineError]) -> Iterator[Caption]:
    """The captions; errors go to stderr and into ``failures``."""
    none = True
    for result in results:
        if isinstance(result, SightlineError):
            failures.append(result)
            complain(result)
        else:
            none = False
            yield result
    if none:
        raise SightlineError("no photo could be captioned; nothing was written")


def _drawn(
    captions: Iterable[Caption], sheets: Mapping[str, Path], font: Path | None
) -> Iterator[tuple[Photo, Caption]]:
    """Photos with their captions, each after its sheet has been written."""
    from sightline.explain import draw_attention

    for caption in captions:
        photo = caption.photo
        assert photo is not None  # a result of `Captioner.stream`
        name = name_of(photo)
        save_sheet(sheets[name], draw_attention(photo, caption, font=font))
        put(f"{sheets[name]}: {caption}")
        if caption.note:
            remark(f"note: {name}: {caption.note}")
        yield photo, caption
