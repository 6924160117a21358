"""Files anywhere: on this machine, at s3:// or gs:// by pyarrow, at https:// or wherever else fsspec reaches."""

from __future__ import annotations

import functools
import glob
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sightline.errors import SightlineError

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem


def is_remote(place: str) -> bool:
    """Whether a name is a URI, rather than a path on this machine."""
    return "://" in place


def absolute(place: str | os.PathLike[str]) -> str:
    """A name that means the same to every process; a URI does already."""
    name = os.fspath(place)
    return name if is_remote(name) else os.path.abspath(name)  # noqa: PTH100  (there may be millions)


def files_at(place: str) -> list[str] | None:
    """The files of a folder, and those below, or of a pattern, in order; None where ``place`` is neither.

    Raises:
        SightlineError: a place far away cannot be asked.
    """
    if not is_remote(place):
        if os.path.isdir(place):  # noqa: PTH112
            return _below(place)
        if not glob.has_magic(place) or os.path.lexists(place):
            return None
        found = sorted(glob.glob(place, recursive=True))  # noqa: PTH207
        return [file for one in found for file in (_below(one) if os.path.isdir(one) else [one])]  # noqa: PTH112
    with telling_of(place):
        system, path = file_system(place)
        if glob.has_magic(path):
            found = sorted(system.glob(path))
        elif system.isdir(path):
            found = sorted(system.find(path))
        else:
            return None
    scheme = place.partition("://")[0]
    return [file if is_remote(file) else f"{scheme}://{file}" for file in found]


def file_system(place: str) -> tuple[AbstractFileSystem, str]:
    """What reaches a place, and the place's path in it; raises what pyarrow and fsspec raise."""
    scheme, _, path = place.partition("://") if is_remote(place) else ("file", "", place)
    system = _file_system(scheme, path.partition("/")[0])
    return system, path if scheme in _PYARROW else system._strip_protocol(place)


def read_bytes(place: str) -> bytes:
    """A file's content; `SightlineError` where it cannot be read."""
    with telling_of(place):
        system, path = file_system(place)
        return system.cat_file(path)


@contextmanager
def telling_of(place: str) -> Iterator[None]:
    """What pyarrow, fsspec and what they load raise in the block becomes a `SightlineError` that names ``place``."""
    try:
        yield
    except SightlineError:
        raise
    except FileNotFoundError:
        raise SightlineError(f"{place}: no such file") from None
    except Exception as error:
        raise SightlineError(f"{place}: cannot be reached ({' '.join(str(error).split())})") from None


_PYARROW = ("s3", "gs", "gcs", "hdfs", "abfs", "abfss")  # it brings these along; for fsspec, each is a package more


@functools.cache
def _file_system(scheme: str, bucket: str) -> AbstractFileSystem:
    """One connection a process to each bucket."""
    if scheme in _PYARROW:
        from fsspec.implementations.arrow import ArrowFSWrapper
        from pyarrow.fs import FileSystem

        return ArrowFSWrapper(FileSystem.from_uri(f"{scheme}://{bucket}")[0])
    import fsspec

    return fsspec.filesystem(scheme)


def _below(folder: str) -> list[str]:
    walk: Iterator[tuple[str, Any, list[str]]] = os.walk(folder)
    return sorted(os.path.join(parent, file) for parent, _, files in walk for file in files)  # noqa: PTH118
