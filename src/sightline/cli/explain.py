"""`sightline explain`: where the model looked, as an image a photo and one web page for all."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sightline.cli.options import PATH, beam_size_option, length_penalty_option, model_option
from sightline.cli.photos import PhotoSearch
from sightline.cli.streams import complain, put, remark
from sightline.errors import SightlineError

if TYPE_CHECKING:
    from sightline.caption import Caption

PAGE = "index.html"


@click.command()
@click.argument("photos", metavar="PHOTO...", nargs=-1, required=True)
@model_option
@click.option("--out", type=PATH, metavar="FOLDER", default=Path("explained"), help="Where to write.")
@beam_size_option
@length_penalty_option
@click.option("--evidence", is_flag=True, help="Show what each word rests on.")
@click.option("--font", type=PATH, help="A .ttf or .otf file for scripts the images lack.")
def explain(
    photos: tuple[str, ...],
    model: Path | None,
    out: Path,
    beam_size: int,
    length_penalty: float,
    evidence: bool,
    font: Path | None,
) -> None:
    """Show where the model looked for every word: FOLDER/<photo>.png for each photo, FOLDER/index.html for all.

    PHOTO: Photos, folders, patterns, or - for a list on stdin.

    Much of what a model looked at may not have mattered. --evidence lights the places without which a word would have
    been less likely; it takes some times as long.

    A photo that cannot be read is named on stderr, with the reason, and the others are explained; the exit status is
    then 1. Interrupted, it leaves a page of those it finished.
    """
    from sightline.captioner import load
    from sightline.explain import write_page
    from sightline.explain.page import is_page
    from sightline.model_folder import make_folder

    search = PhotoSearch(photos)
    paths = _find_photos(search, photos)
    captioner = load(model)
    make_folder(out)
    if (out / PAGE).exists() and not is_page(out / PAGE):
        raise SightlineError(f"{out / PAGE}: a page of somebody else's, which would be lost; give another --out")
    failures: list[SightlineError] = []
    with closing(captioner.stream(paths, beam_size, length_penalty, evidence=evidence)) as results:  # type: ignore[type-var]
        drawn = _drawn(_captioned(paths, results, failures), sheet_paths(out, paths), font)
        count = write_page(out / PAGE, drawn)
    put(f"{out / PAGE}: {count} {'photo' if count == 1 else 'photos'}")
    if failures or search.left_out:
        raise click.exceptions.Exit(1)


def sheet_paths(folder: Path, photos: Sequence[Path]) -> dict[Path, Path]:
    """A PNG path in ``folder`` for every photo, named after it; no two are alike, and none is a file but a sheet.

    Names that differ by case alone count as alike, as they do on many file systems.
    """
    from sightline.explain.sheets import is_sheet

    taken = {_identity(photo) for photo in photos}
    paths: dict[Path, Path] = {}
    for photo in photos:
        if photo in paths:
            continue
        path, number = folder / f"{photo.stem}.png", 1
        while _identity(path) in taken or (os.path.lexists(path) and not is_sheet(path)):
            number += 1
            path = folder / f"{photo.stem}-{number}.png"
        taken.add(_identity(path))
        paths[photo] = path
    return paths


def _identity(path: Path) -> str:
    return str(path.resolve()).casefold()


def _find_photos(search: PhotoSearch, names: Sequence[str]) -> list[Path]:
    """The photos that ``names`` mean, each once, but for sheets that a pattern of the shell's dragged in."""
    from sightline.explain.sheets import is_sheet

    found: dict[Path, Path] = {}
    for path in map(Path, search):
        found.setdefault(path.absolute(), path)
    photos = [path for path in found.values() if not is_sheet(path)]
    if sheets := len(found) - len(photos):
        remark(f"left out {sheets:,} sheet{'s' * (sheets != 1)} that an earlier explain drew")
    if not photos and search.left_out:
        raise click.exceptions.Exit(1)
    if not photos:
        raise SightlineError(f"no photos found in {', '.join(names)}")
    return photos


def _captioned(
    photos: Sequence[Path], results: Iterator[Caption | SightlineError], failures: list[SightlineError]
) -> Iterator[tuple[Path, Caption]]:
    """The photos that could be captioned; the others' errors go to stderr and into ``failures``."""
    for photo, result in zip(photos, results, strict=True):
        if isinstance(result, SightlineError):
            failures.append(result)
            complain(result)
        else:
            yield photo, result
    if len(failures) == len(photos):
        raise SightlineError("no photo could be captioned; nothing was written")


def _drawn(
    captioned: Iterator[tuple[Path, Caption]], sheets: dict[Path, Path], font: Path | None
) -> Iterator[tuple[Path, Caption]]:
    """The same pairs, each after its sheet has been written."""
    from sightline.explain import draw_attention
    from sightline.explain.sheets import save_sheet

    for photo, caption in captioned:
        save_sheet(sheets[photo], draw_attention(photo, caption, font=font))
        put(f"{sheets[photo]}: {caption}")
        if caption.note:
            remark(f"note: {photo}: {caption.note}")
        yield photo, caption
