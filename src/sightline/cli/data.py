"""`sightline data`: look into a dataset, or draw one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from sightline.data.check import DatasetReport

app = typer.Typer(help="Check a dataset, or draw a small one of coloured shapes.", no_args_is_help=True)

_NAMES_SHOWN = 3


@app.command()
def check(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The dataset's folder.", show_default=False)],
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON, with every name.")] = False,
) -> None:
    """Find out a dataset's layout and splits, and what is wrong with its photos and captions.

    Reads Kaggle's Images/ + captions.txt, Flickr8k's original files, Karpathy's JSON, and any CSV or JSONL with image
    and caption columns. Exits with 1 if something would hurt training or scores; warnings alone exit with 0.
    """
    import json

    from sightline.data.check import check_dataset

    with _progress("decoding photos") as progress:
        report = check_dataset(folder, progress)
    typer.echo(json.dumps(report.as_dict(), indent=2) if as_json else _as_text(report))
    if not report.ok:
        raise typer.Exit(1)


@app.command()
def shapes(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder to draw into.", show_default=False)],
    photos: Annotated[int, typer.Option(help="How many photos, 10 or more.")] = 2000,
    seed: Annotated[int, typer.Option(help="The same seed draws the same photos.")] = 0,
) -> None:
    """Draw a small labelled dataset: coloured shapes in places, five true captions a photo, and the objects' boxes.

    It comes in Kaggle's layout with train, val and test lists. Drawn once, it is left alone the next time.
    """
    from sightline.data.shapes import draw_shapes

    with _progress("drawing photos") as progress:
        is_new = draw_shapes(folder, photos, seed, progress)
    typer.echo(f"{folder}: {photos} photos {'drawn' if is_new else 'are there already'}")


@contextmanager
def _progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on stderr, so that stdout holds the result alone; none where stderr is no terminal."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _as_text(report: DatasetReport) -> str:
    splits = ", ".join(f"{split} {count}" for split, count in report.splits.items())
    source = "from the dataset's own files" if report.split_source == "files" else "by file name"
    lines = [
        f"layout    {report.layout}",
        f"photos    {report.photos}",
        f"captions  {report.captions}",
        f"splits    {splits} ({source})",
    ]
    for finding in report.findings:
        count = f": {finding.count}" if finding.names else ""
        lines += ["", f"{finding.level:8}  {finding.message}{count}"]
        lines += [f"          {name}" for name in finding.names[:_NAMES_SHOWN]]
        if finding.count > _NAMES_SHOWN:
            lines.append(f"          and {finding.count - _NAMES_SHOWN} more (--json names all)")
    lines += ["", "Nothing here would hurt training." if report.ok else "Mend the errors before training."]
    # A file name need not be valid text.
    return "\n".join(lines).encode(errors="backslashreplace").decode()
