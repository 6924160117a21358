"""`sightline caption --write`: captions where other programs read them; what is there already is not captioned."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sightline.cli.options import Verb
from sightline.cli.streams import complain, progress, put, remark
from sightline.errors import SightlineError
from sightline.images.containers import Content, loaded
from sightline.images.find import PhotoFinder
from sightline.images.source import BrokenSource, ImageSource

if TYPE_CHECKING:
    from sightline.caption import Caption
    from sightline.writers.writer import Writer

# As `sightline.writers` has them; tests compare them.
_EXISTING = ("skip", "append", "prepend", "overwrite")
_FIELDS = ("description", "alt")
_ALL = ("existing", "extension", "prefix", "suffix", "field", "no_keywords", "language", "dry_run", "settings")

_OPTIONS = (
    click.option("--write", metavar="FORM", help="txt or xmp: a file beside each photo; csv or json: --out FILE."),
    click.option("--existing", type=click.Choice(_EXISTING), help="What to do with captions there [default: skip]."),
    click.option("--extension", help="Of --write txt's files, e.g. caption [default: txt]."),
    click.option("--prefix", help="Text in front of every caption that is written."),
    click.option("--suffix", help="Text behind every caption that is written."),
    click.option("--field", type=click.Choice(_FIELDS), help="For xmp and csv: which text [default: description]."),
    click.option("--no-keywords", is_flag=True, default=None, help="For xmp, csv and json: no keywords."),
    click.option("--language", metavar="TAG", help="What the model writes, for xmp [default: en]."),
    click.option("--dry-run", is_flag=True, default=None, help="Print what would be written."),
    click.option("--set", "settings", metavar="KEY=VALUE", multiple=True, help="An option of a plugin's FORM."),
)


def write_options(verb: Verb) -> Verb:
    """``--write`` and all that needs it."""
    for option in reversed(_OPTIONS):
        verb = option(verb)
    return verb


def taken_from(options: dict[str, Any]) -> dict[str, Any]:
    """Take `write_options` but ``write`` itself out of a verb's options; those that were given."""
    taken = {name: options.pop(name) for name in _ALL}
    return {name: value for name, value in taken.items() if value not in (None, ())}


def caption_and_write(
    finder: PhotoFinder,
    form: str,
    writing: dict[str, Any],
    minimum: float,
    model: Path | None,
    device: str,
    options: dict[str, Any],
) -> None:
    """Caption the photos that have no caption in the form yet, and write captions that are as sure as ``minimum``.

    ``writing``: as `taken_from` gives them, and ``out``.
    """
    affixes, is_dry = (writing.pop("prefix", ""), writing.pop("suffix", "")), writing.pop("dry_run", False)
    writer = _writer(form, writing)
    run = _Run(writer, affixes, minimum, is_dry)
    try:
        with closing(writer):
            run.caption(finder, model, device, options)
    except BaseException:
        if run.counts:
            remark(run.summary() + "; the same command goes on" * (writer.existing == "skip"))
        raise
    if not run.counts and not finder.left_out:
        raise finder.nothing_found()
    put(run.summary())
    if run.counts["failed"] or finder.left_out:
        raise click.exceptions.Exit(1)


def _writer(form: str, writing: dict[str, Any]) -> Writer:
    from sightline.writers.writer import WRITERS, make_writer, read_options

    if form not in WRITERS:
        raise click.UsageError(f"--write {form}: there is no such form; choose from {', '.join(sorted(WRITERS))}")
    settings = read_options(form, writing.pop("settings", ()))
    return make_writer(form, {**writing, **settings})


class _Run:
    """Photos through a writer, counted by what became of them."""

    def __init__(self, writer: Writer, affixes: tuple[str, str], minimum: float, is_dry: bool) -> None:
        self._writer, self._affixes, self._minimum, self._is_dry = writer, affixes, minimum, is_dry
        self.counts = Counter[str]()
        self._waiting = deque[ImageSource]()  # the photos whose results are to come

    def caption(self, finder: PhotoFinder, model: Path | None, device: str, options: dict[str, Any]) -> None:
        from sightline.captioner import load

        missing = self._missing(finder)
        if (first := next(missing, None)) is None:  # then no model is needed
            return
        captioner = load(model, device=device)
        with (
            closing(captioner.stream(chain([first], missing), **options)) as results,  # type: ignore[type-var]
            progress("captioning", shown=not self._is_dry) as line,
        ):
            for done, result in enumerate(results, start=1):
                self._take(self._waiting.popleft(), result)
                line(done, None)

    def summary(self) -> str:
        kinds = {
            "written": "would be written" if self._is_dry else "written",
            "skipped": "skipped, as they have one",
            "below": f"below confidence {self._minimum:g}",
            "failed": "failed",
        }
        shown = [kind for kind in kinds if self.counts[kind] or kind in ("written", "skipped")]
        return "captions: " + ", ".join(f"{self.counts[kind]:,} {kinds[kind]}" for kind in shown)

    def _missing(self, finder: PhotoFinder) -> Iterator[Content]:
        return loaded(photo for photo in finder if self._is_missing(photo))

    def _is_missing(self, photo: ImageSource) -> bool:
        try:
            if not isinstance(photo, BrokenSource) and self._writer.is_done(photo):
                self.counts["skipped"] += 1
                return False
        except SightlineError as error:
            self._fail(error)
            return False
        self._waiting.append(photo)
        return True

    def _fail(self, error: SightlineError) -> None:
        self.counts["failed"] += 1
        complain(error)

    def _take(self, photo: ImageSource, result: Caption | SightlineError) -> None:
        from sightline.writers.writer import NothingCanBeWritten

        if isinstance(result, SightlineError):
            self._fail(result)
            return
        if result.note:
            remark(f"note: {photo.name}: {result.note}")
        try:
            self.counts[self._write(photo, result)] += 1
        except NothingCanBeWritten:
            raise
        except SightlineError as error:
            self._fail(error)

    def _write(self, photo: ImageSource, caption: Caption) -> str:
        """Write a caption; returns what became of it."""
        confidence = caption.sureness()
        text = " ".join(f"{self._affixes[0]}{caption.text}{self._affixes[1]}".split())
        if not caption.words or confidence < self._minimum:
            put(f"{photo.name}: not written, confidence {confidence:.2f}: {text}")
            return "below"
        if self._is_dry:
            put(f"{photo.name}: {text}")
            return "written"
        return "written" if self._writer.write(photo, text, [each.word for each in caption.keywords]) else "skipped"
