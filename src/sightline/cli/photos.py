"""What a person names on the command line -> the photos meant."""

from __future__ import annotations

import glob
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from sightline.photos.formats import is_photo


def expand_photos(names: Iterable[str]) -> Iterator[str]:
    """Paths of photos, found as they are asked for.

    A folder stands for the photos in it and below, ordered by name; a pattern (``holiday/*.jpg``, ``**/*.png``) that
    the shell left as it is, for what it matches; ``-`` for the paths on standard input, one a line. Any other name
    stands for itself, whether there is such a file or not, and so does what stands for nothing: reading it then fails.
    """
    for name in names:
        if name == "-":
            yield from (line for line in (line.rstrip("\r\n") for line in sys.stdin) if line)
        elif Path(name).is_dir():
            yield from _photos_in(name) or [str(Path(name) / "*")]
        elif glob.has_magic(name) and not Path(name).exists():
            found = sorted(glob.glob(name, recursive=True))  # noqa: PTH207  (Path.glob refuses absolute patterns)
            yield from (path for each in found for path in (_photos_in(each) if Path(each).is_dir() else [each]))
            if not found:
                yield name
        else:
            yield name


def _photos_in(folder: str) -> list[str]:
    paths = (path for path in Path(folder).rglob("*") if is_photo(path))
    return sorted(str(path) for path in paths if path.is_file())
