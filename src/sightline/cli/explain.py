"""`sightline explain`: where the model looked, as an image a photo and one web page for all."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sightline.cli.options import PATH, beam_size_option, length_penalty_option, model_option
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
    then 1.
    """
    from sightline.bundle import make_folder
    from sightline.captioner import load
    from sightline.explain import write_page

    # A file name need not be valid text; what the system gave is what it gets back.
    sys.stdout.reconfigure(errors="surrogateescape")  # type: ignore[union-attr]
    paths = _find_photos(photos, out)
    captioner = load(model)
    make_folder(out)
    failures: list[SightlineError] = []
    results = captioner.stream(paths, beam_size, length_penalty, evidence=evidence)
    drawn = _drawn(_captioned(paths, results, failures), sheet_paths(out, paths), font)
    count = write_page(out / PAGE, drawn)
    print(f"{out / PAGE}: {count} {'photo' if count == 1 else 'photos'}")
    if failures:
        raise click.exceptions.Exit(1)


def sheet_paths(folder: Path, photos: Sequence[Path]) -> dict[Path, Path]:
    """A PNG path in ``folder`` for every photo, named after it; no two are alike and none is itself a photo.

    Names that differ by case alone count as alike, as they do on many file systems.
    """
    taken = {_identity(photo) for photo in photos}
    paths: dict[Path, Path] = {}
    for photo in photos:
        if photo in paths:
            continue
        path, number = folder / f"{photo.stem}.png", 1
        while _identity(path) in taken:
            number += 1
            path = folder / f"{photo.stem}-{number}.png"
        taken.add(_identity(path))
        paths[photo] = path
    return paths


def _identity(path: Path) -> str:
    return str(path.resolve()).casefold()


def _find_photos(names: Sequence[str], out: Path) -> list[Path]:
    """What ``names`` mean, but for earlier images in ``out`` that a folder around it drags in."""
    from sightline.cli.photos import expand_photos

    folder, named = out.resolve(), set(names)
    out_is_meant = folder in {Path(name).resolve() for name in names}
    paths = [
        Path(path)
        for path in expand_photos(names)
        if out_is_meant or path in named or folder not in Path(path).resolve().parents
    ]
    if not paths:
        raise SightlineError(f"no photos found in {', '.join(names)}")
    return paths


def _captioned(
    photos: Sequence[Path], results: Iterator[Caption | SightlineError], failures: list[SightlineError]
) -> Iterator[tuple[Path, Caption]]:
    """The photos that could be captioned; the others' errors go to stderr and into ``failures``."""
    for photo, result in zip(photos, results, strict=True):
        if isinstance(result, SightlineError):
            failures.append(result)
            print(f"sightline: {result}", file=sys.stderr)
        else:
            yield photo, result
    if len(failures) == len(photos):
        raise SightlineError("no photo could be captioned; nothing was written")


def _drawn(
    captioned: Iterator[tuple[Path, Caption]], sheets: dict[Path, Path], font: Path | None
) -> Iterator[tuple[Path, Caption]]:
    """The same pairs, each after its sheet has been written."""
    from sightline.bundle import replacing
    from sightline.explain import draw_attention

    for photo, caption in captioned:
        with replacing(sheets[photo]) as temporary:
            draw_attention(photo, caption, font=font).save(temporary)
        print(f"{sheets[photo]}: {caption}", flush=True)
        yield photo, caption
