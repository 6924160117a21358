"""The page's files, their media types and their security policy, for `sightline serve` and for a static site."""

from __future__ import annotations

import json
import mimetypes
from pathlib import Path
from typing import Literal, TypeAlias

from sightline.caption import MOST_KEYWORDS, PERHAPS, SURE, WORTH_NAMING
from sightline.captioner import NO_PHOTO
from sightline.explain.emphasis import FULL_AT_LEAST, FULL_EVIDENCE
from sightline.explain.page import fill
from sightline.scripts import UNSPACED

Backend: TypeAlias = Literal["remote", "local"]

# Files that only the model in the browser needs.
_LOCAL_ONLY = frozenset(
    f"{name}.js"
    for name in (
        "blank",
        "captioner",
        "heads",
        "identity",
        "local",
        "offline",
        "reading",
        "resample",
        "search",
        "standardise",
        "stored",
        "worker",
    )
)

# Requests go to the page's own host and to no other; photos are shown from the visitor's own memory (blob:).
POLICY = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; style-src 'self'; connect-src 'self'; worker-src 'self';"
    " img-src 'self' blob: data:; media-src 'self' blob:; script-src 'self'"
)
# Allows WebAssembly to be compiled, in browsers that apply a page's policy to its workers.
_WEBASSEMBLY = " 'wasm-unsafe-eval'"

# Python's own table: the host's may call scripts text, which browsers then refuse to run.
_MEDIA_TYPES = mimetypes.MimeTypes()
for _suffix in (".js", ".mjs"):
    _MEDIA_TYPES.add_type("text/javascript", _suffix)  # as Python's table says from 3.12 on


def media_type(name: str) -> str:
    """The media type of a file by the end of its name; ``application/octet-stream`` for an unknown one."""
    return _MEDIA_TYPES.guess_type(name)[0] or "application/octet-stream"


def folder_files(folder: Path) -> dict[str, bytes]:
    """The files in a folder and below: path relative to the folder, with ``/`` -> content; empty without a folder."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def page_files(backend: Backend) -> dict[str, bytes]:
    """The page's files: path relative to the page's URL -> content; the page itself is ``index.html``.

    Args:
        backend: what captions the photos: ``"remote"``, the server's ``v1/captions``; ``"local"``, the browser, which
            needs further files: see `sightline.serve.site`.
    """
    other_backend = {"remote.js"} if backend == "local" else _LOCAL_ONLY
    files = folder_files(Path(__file__).parent / "page")
    files = {name: content for name, content in files.items() if name not in other_backend}
    files["index.html"] = fill_file(files["index.html"], POLICY=POLICY + _WEBASSEMBLY * (backend == "local"))
    full = {"ATTENTION": json.dumps(FULL_AT_LEAST), "EVIDENCE": json.dumps(FULL_EVIDENCE)}
    files["emphasis.js"] = fill_file(files["emphasis.js"], **full)
    files["sureness.js"] = fill_file(files["sureness.js"], SURE=json.dumps(SURE), PERHAPS=json.dumps(PERHAPS))
    if backend == "local":
        least, most = json.dumps(WORTH_NAMING), json.dumps(MOST_KEYWORDS)
        files["heads.js"] = fill_file(files["heads.js"], WORTH=least, MOST=most, NOTE=json.dumps(NO_PHOTO))
        files["reading.js"] = fill_file(files["reading.js"], UNSPACED=json.dumps(UNSPACED))
    files["backend.js"] = f'export * from "./{backend}.js";\n'.encode()
    # The cards look and behave like those of `sightline explain`.
    return files | {"explain.css": fill("__STYLE__").encode(), "explain.js": fill("__SCRIPT__").encode()}


def fill_file(content: bytes, **parts: str) -> bytes:
    """Replace each ``__NAME__`` in a file by the part of that name."""
    return fill(content.decode(), **parts).encode()
