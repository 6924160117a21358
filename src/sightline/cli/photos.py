"""What a person names on the command line -> the photos meant; what is left out is told."""

# Half a million names are many, and Path.is_dir raises where a folder above may not be entered:
# ruff: noqa: PTH112, PTH116, PTH118, PTH207
from __future__ import annotations

import glob
import os
import stat
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from sightline.cli.lists import read_list
from sightline.cli.streams import complain
from sightline.images.formats import UnsupportedFormat, is_photo, unsupported_format


class PhotoSearch:
    """Paths of photos, found as they are asked for, once.

    A folder stands for the photos in it and below, ordered by name; a pattern (``holiday/*.jpg``, ``**/*.png``) that
    the shell left as it is, for what it matches; neither for a sheet that `explain` drew. ``-`` stands for the paths on
    standard input, any other name for itself, whether there is such a file or not: reading it then fails.

    Attributes:
        left_out: how many photos and folders could not be given so far; stderr was told why.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self.left_out = 0
        self._names = names
        self._foreign: Counter[UnsupportedFormat] = Counter()

    def __iter__(self) -> Iterator[str]:
        for name in self._names:
            if name == "-":
                yield from read_list(sys.stdin)
            elif not name:
                self._leave_out("'': an empty name is no photo; the folder that one is in is .")
            elif os.path.isdir(name):
                yield from self._or_tell(self._photos_in(name), f"{name}: no photos in this folder")
            elif glob.has_magic(name) and not os.path.lexists(name):
                yield from self._or_tell(self._photos_like(name), f"{name}: no such file")
            else:
                yield name
        for kind, count in self._foreign.items():
            complain(f"left out {count:,} {kind.name}{'s' * (count != 1)}; {kind.advice}")

    def _or_tell(self, paths: Iterable[str], nothing: str) -> Iterator[str]:
        before, none = self.left_out, True
        for path in paths:
            none = False
            yield path
        if none and self.left_out == before:
            self._leave_out(nothing)

    def _photos_like(self, pattern: str) -> Iterator[str]:
        yield from dict.fromkeys(
            path
            for each in _matches(pattern)
            for path in (self._photos_in(each) if os.path.isdir(each) else filter(_may_be_photo, [each]))
        )

    def _photos_in(self, folder: str) -> Iterator[str]:
        paths = []
        for parent, _, files in os.walk(folder, onerror=self._cannot_enter):
            for path in (os.path.join(parent, file) for file in files):
                if foreign := unsupported_format(path):
                    self.left_out += 1
                    self._foreign[foreign] += 1
                elif is_photo(path) and _may_be_photo(path):
                    paths.append(path)
        yield from sorted(paths)

    def _cannot_enter(self, error: OSError) -> None:
        self._leave_out(f"{error.filename}: this folder cannot be read ({error.strerror})")

    def _leave_out(self, reason: str) -> None:
        self.left_out += 1
        complain(reason)


def _may_be_photo(path: str) -> bool:
    """A file that is no sheet of ours, or one of which only reading can tell what is wrong with it."""
    from sightline.explain.sheets import is_sheet

    try:
        return stat.S_ISREG(os.stat(path).st_mode) and not is_sheet(Path(path))
    except OSError:
        return True


def _matches(pattern: str) -> list[str]:
    """What `glob.glob` finds, in order, but that ``**`` follows no links, which may lead in circles."""
    parts = Path(pattern).parts
    if "**" not in parts:
        return sorted(glob.glob(pattern))
    at = parts.index("**")
    tops = glob.glob(os.path.join(*parts[:at])) if at else [os.curdir]
    if parts[at:] == ("**",):
        return sorted(tops)
    found: set[str] = set()
    for top in tops:
        for folder, below, _ in os.walk(top):
            below[:] = [name for name in below if not name.startswith(".")]
            found.update(_matches(os.path.join(glob.escape(folder), *parts[at + 1 :])))
    return sorted(path if at else path.removeprefix(os.path.join(os.curdir, "")) for path in found)
