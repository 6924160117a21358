"""What every writer promises."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from PIL import Image

from sightline.errors import SightlineError
from sightline.images.source import FileSource, ImageSource, TarSource, UrlSource
from sightline.writers.writer import EXISTING, WRITERS, Writer, make_writer

KEYWORDS = ("döġ", "red & blue")
TEXT = 'a döġ\'s "red" ball, <b> & more'


def check_writer(name: str, out: str | None = None, **options: Any) -> None:
    """Check a registered writer, by its name and ``options``; ``out``: the name of the file, if it writes one for all.

    - It writes a caption with any character, takes keywords, and leaves the photo as it is and no temporary file.
    - A second run finds it done and writes nothing; ``existing="overwrite"`` writes anew, if the form takes that.
    - Asking whether it is done changes nothing.
    - Photos that have no folder of their own are written, or refused by a `SightlineError`.

    Raises:
        AssertionError: a promise is not kept.
        SightlineError: there is no such writer, or it does not take such an option.
    """
    assert set(WRITERS[name].takes) <= set(EXISTING) and "skip" in WRITERS[name].takes, f"takes: some of {EXISTING}"
    for check in (_check_runs, _check_looking, _check_elsewhere):
        with TemporaryDirectory() as folder:
            root = Path(folder) / "Fotos – 2024"
            root.mkdir()
            for photo in ("a.jpg", "b.jpg"):
                Image.new("RGB", (8, 8)).save(root / photo)
            check(name, root, {**options, **({"out": root / out} if out else {})})


def _photos(root: Path) -> list[ImageSource]:
    return [FileSource(str(root / name)) for name in ("a.jpg", "b.jpg")]


def _write(writer: Writer, root: Path, text: str = TEXT) -> list[bool]:
    try:
        return [not writer.is_done(photo) and writer.write(photo, text, KEYWORDS) for photo in _photos(root)]
    finally:
        writer.close()


def _contents(root: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(root.iterdir())}


def _check_runs(name: str, root: Path, options: dict[str, Any]) -> None:
    photos = _contents(root)
    assert _write(make_writer(name, options), root) == [True, True], "two captions are to be written"
    written = _contents(root)
    assert photos.items() <= written.items(), "photos are left as they are"
    assert len(written) > len(photos), "nothing was written beside the photos"
    assert not any(file.startswith(".") for file in written), f"temporary files are left: {', '.join(written)}"
    again = make_writer(name, options)
    assert [again.is_done(photo) for photo in _photos(root)] == [True, True], "a second run finds them done"
    assert [again.write(photo, "another", ["other"]) for photo in _photos(root)] == [False, False], "and writes none"
    again.close()
    assert _contents(root) == written, "a second run changed something"
    if "overwrite" in WRITERS[name].takes:
        _write(make_writer(name, {**options, "existing": "overwrite"}), root, "another")
        changed = _contents(root)
        assert changed.keys() == written.keys() and photos.items() <= changed.items(), "overwriting keeps to its files"
        assert changed != written, "existing=overwrite writes anew"


def _check_looking(name: str, root: Path, options: dict[str, Any]) -> None:
    before = _contents(root)
    for existing in WRITERS[name].takes:
        looking = make_writer(name, {**options, "existing": existing})
        assert not any(looking.is_done(photo) for photo in _photos(root)), "nothing is done yet"
        looking.close()
    assert _contents(root) == before, "asking whether it is done changed something"


def _check_elsewhere(name: str, root: Path, options: dict[str, Any]) -> None:
    for source in (TarSource(str(root / "x.tar"), "c.jpg", 0, 1), UrlSource("https://example.org/c.jpg")):
        try:
            make_writer(name, options).is_done(source)
        except SightlineError as error:
            assert "c.jpg" in str(error), f"the refusal names the photo: {error}"
    try:
        make_writer(name, {**options, "no_such_option": 1})
    except SightlineError:
        return
    raise AssertionError("an option that it does not have is refused")
