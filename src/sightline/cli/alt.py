"""`sightline alt`: alt texts for the images of a site's pages, proposed to a person, and written if asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sightline.cli.options import PATH, PROBABILITY, model_option, plugin_option, search_options
from sightline.cli.streams import complain, progress, put, remark
from sightline.errors import SightlineError

if TYPE_CHECKING:
    from sightline.alt.cache import Known
    from sightline.alt.page import Page
    from sightline.alt.report import Row
    from sightline.alt.syntax import Mention

# Below it, a caption more probably names a thing that is not there.
MIN_CONFIDENCE = 0.5
# For models that have not learned their confidence, which is then the geometric mean of the words' probabilities: of
# captions of Flickr8k's dev photos below it, less than half the words are a person's, see docs/alt_texts.md.
MIN_PROBABILITY = 0.65

_KINDS = {
    "text": "with a text",
    "decorative": "decorative (an empty text)",
    "draft": "with a marked draft",
    "linked": "in links or buttons",
    "small": "icons, logos and others under 64 pixels",
    "drawing": "drawings and other non-photos",
    "blank": "blank or incomplete photos",
    "elsewhere": "outside the site's folder",
    "absent": "whose file is not there",
    "computed": "whose path or text a template computes",
    "unsure": "below the confidence",
    "failed": "failed",
}
_LEAD = "A machine wrote these texts, and many are wrong. Read each one beside its picture before it is published."


@click.command()
@click.argument("sites", metavar="SITE...", nargs=-1, required=True, type=PATH)
@click.option("--apply", is_flag=True, help="Write the texts into the pages.")
@click.option("--draft", is_flag=True, help="With --apply: mark each text as a machine's.")
@click.option("--review", is_flag=True, help="List the marked texts that are in the pages.")
@click.option("--check", is_flag=True, help="List images without an alt text; the exit status is 1 if there are any.")
@click.option("--html", "report", type=PATH, metavar="FILE", help="Write a page of pictures and texts, to be read.")
@click.option(
    "--min-confidence",
    type=PROBABILITY,
    show_default=f"{MIN_CONFIDENCE}, or {MIN_PROBABILITY} for a model that has not learned it",
    help="Propose no text that is less sure, from 0 to 1.",
)
@plugin_option
@model_option
@search_options
def alt(
    sites: tuple[Path, ...],
    apply: bool,
    draft: bool,
    review: bool,
    check: bool,
    report: Path | None,
    min_confidence: float | None,
    model: Path | None,
    **options: Any,
) -> None:
    """Propose alt texts for the images of a site's pages.

    SITE: Folders of pages, or pages: HTML, Markdown, MDX, reStructuredText.

    Nothing is written without --apply: texts are printed, each with its page, line, photo and confidence. A text that
    is there stays, and so does an empty one in HTML, which says that an image is decoration. No URL is fetched.
    """
    _refuse_conflicts({"--apply": apply, "--review": review, "--check": check}, draft, report)
    run = _Run(sites, report is not None)
    if check:
        run.check()
    elif review:
        run.review()
    else:
        run.propose(min_confidence, model, options)
    if apply:
        run.apply(draft)
    if report is not None:
        run.report(report, "Alt texts to review" if review else "Proposed alt texts")
    if run.counts["failed"]:
        raise click.exceptions.Exit(1)


def _minimum(asked: float | None, known: Known) -> float:
    if asked is not None:
        return asked
    return MIN_CONFIDENCE if known.is_learned else MIN_PROBABILITY


def _refuse_conflicts(modes: dict[str, bool], draft: bool, report: Path | None) -> None:
    chosen = [name for name, is_chosen in modes.items() if is_chosen]
    if len(chosen) > 1:
        raise click.UsageError(f"{chosen[0]} does not go with {chosen[1]}")
    if draft and not modes["--apply"]:
        raise click.UsageError("--draft needs --apply")
    if report is not None and modes["--check"]:
        raise click.UsageError("--html does not go with --check, which proposes nothing")


class _Run:
    """A site's pages, with their images counted by what becomes of them."""

    def __init__(self, sites: Iterable[Path], has_report: bool) -> None:
        self._sites, self._has_report = sites, has_report
        self.counts = Counter[str]()
        self._rows: list[Row] = []
        self._pages: list[Page] = []  # those in which something may be inserted
        self._texts: dict[Path, Known] = {}

    def check(self) -> None:
        """List images without an alt text, whatever the reason that none would be proposed, but for computed ones."""
        missing = 0
        for page in self._read():
            for line, mention in page.mentions:
                if mention.alt == "missing" and mention.left != "computed":
                    missing += 1
                    put(f"{page.path}:{line}: no alt text: {mention.reference}")
        put(f"images without an alt text: {missing:,}")
        if missing:
            raise click.exceptions.Exit(1)

    def review(self) -> None:
        """List the texts that are marked."""
        from sightline.alt.picture import photo_of

        for page in self._read():
            for line, mention in page.mentions:
                if mention.alt == "draft":
                    photo = photo_of(mention.reference, page.path, page.site) if mention.reference else "computed"
                    self._add(page, line, mention, photo if isinstance(photo, Path) else None, None)
        self._print()
        put(f"marked alt texts: {len(self._rows):,}")

    def propose(self, minimum: float | None, model: Path | None, options: dict[str, Any]) -> None:
        """Find images without an alt text, and print a text for each that is to have one."""
        shown = [(page, list(self._undescribed(page))) for page in self._read()]
        found = [(page, images) for page, images in shown if images]
        known = self._known({photo for _, images in found for *_, photo in images}, model, options)
        for page, images in found:
            for line, mention, photo in images:
                result = known.get(photo)
                kind = "failed" if result is None else result.kind
                if result is not None and kind == "photo":
                    kind = "proposed" if result.text and result.confidence >= _minimum(minimum, result) else "unsure"
                self.counts[kind] += 1
                if result is not None and kind == "proposed":
                    self._texts[photo] = result
                    self._add(page, line, mention, photo, result)
            self._pages.append(page)
        self._print()
        kinds = [f"{self.counts[kind]:,} {_KINDS[kind]}" for kind in _KINDS if self.counts[kind]]
        put("images: " + ", ".join([f"{self.counts['proposed']:,} with a proposed text", *kinds]))

    def apply(self, is_draft: bool) -> None:
        """Write the texts into the pages; one that cannot be written is named, and the others are."""
        from sightline.alt.page import apply
        from sightline.alt.picture import photo_of

        written = 0
        for page in self._pages:

            def text_of(mention: Mention, page: Page = page) -> str | None:
                photo = None if mention.left else photo_of(mention.reference, page.path, page.site)
                known = self._texts.get(photo) if isinstance(photo, Path) else None
                return known.text if known else None

            if not any(mention.alt == "missing" and text_of(mention) for _, mention in page.mentions):
                continue
            try:
                apply(page, text_of, is_draft)
                written += 1
            except SightlineError as error:
                self._fail(error)
        put(f"pages: {written:,} written")

    def report(self, path: Path, title: str) -> None:
        from sightline.alt.report import write_report

        write_report(path, self._rows, title, _LEAD)
        remark(f"{path}: {len(self._rows):,} texts to read")

    def _read(self) -> Iterator[Page]:
        from sightline.alt.page import find_pages, read_page

        pages = 0
        for path, site in find_pages(self._sites):
            pages += 1
            try:
                yield read_page(path, site)
            except SightlineError as error:
                self._fail(error)
        if not pages:
            raise SightlineError("no pages there (HTML, Markdown, MDX, reStructuredText); name a site's folder")

    def _undescribed(self, page: Page) -> Iterator[tuple[int, Mention, Path]]:
        """The images of the page that may get a text; the others are counted."""
        from sightline.alt.picture import photo_of

        for line, mention in page.mentions:
            if mention.alt != "missing" or mention.left:
                self.counts[mention.alt if mention.alt != "missing" else mention.left] += 1
            elif isinstance(photo := photo_of(mention.reference, page.path, page.site), Path):
                yield line, mention, photo
            else:
                self.counts[photo] += 1

    def _known(self, photos: set[Path], model: Path | None, options: dict[str, Any]) -> dict[Path, Known]:
        from sightline.alt.cache import Cache
        from sightline.alt.propose import maker_of, propose
        from sightline.captioner import load, model_folder

        if not photos:
            return {}
        cache = Cache(maker_of(model_folder(model), options))
        known: dict[Path, Known] = {}
        try:
            with progress("captioning") as line:
                for photo, result in propose(sorted(photos), cache, lambda: load(model), options):
                    if isinstance(result, SightlineError):
                        complain(result)  # its images are counted with their pages
                    else:
                        known[photo] = result
                    line(len(known), len(photos))
        finally:
            if trouble := cache.save():
                remark(f"note: {trouble}: the next run computes everything again")
        return known

    def _add(self, page: Page, line: int, mention: Mention, photo: Path | None, known: Known | None) -> None:
        from sightline.alt.page import line_of
        from sightline.alt.report import Row

        source = line_of(page, mention) if self._has_report else ""
        text, confidence = (known.text, known.confidence) if known else (mention.text, None)
        self._rows.append(Row(page.path, line, source, mention.reference, photo, text, confidence))

    def _print(self) -> None:
        cells = [
            (f"{row.page}:{row.line}", row.reference, "" if row.confidence is None else f"{row.confidence:.2f}")
            for row in self._rows
        ]
        widths = [min(60, max(map(len, column))) for column in zip(*cells, strict=True)]
        for row, texts in zip(self._rows, cells, strict=True):
            put("  ".join([*(f"{text:{width}}" for text, width in zip(texts, widths, strict=True)), row.text]))

    def _fail(self, error: SightlineError) -> None:
        self.counts["failed"] += 1
        complain(error)
