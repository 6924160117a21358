"""The page's files, their media types and their security policy, for `sightline serve` and for a static site."""

from __future__ import annotations

import json
import re
from pathlib import Path, PurePosixPath
from typing import Literal, TypeAlias

from sightline.explain.emphasis import FULL_AT_LEAST, FULL_EVIDENCE
from sightline.explain.page import fill
from sightline.scripts import UNSPACED

Backend: TypeAlias = Literal["remote", "local"]

# Files that only the model in the browser needs.
_LOCAL_ONLY = frozenset(
    f"{name}.js"
    for name in ("blank", "local", "offline", "reading", "resample", "search", "standardise", "stored", "worker")
)
_REMOTE_ONLY = frozenset({"remote.js"})

# Requests go to the page's own host and to no other; photos are shown from the visitor's own memory (blob:).
POLICY = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; style-src 'self'; connect-src 'self'; worker-src 'self';"
    " img-src 'self' blob: data:; media-src 'self' blob:; script-src 'self'"
)
# Allows WebAssembly to be compiled, in browsers that apply a page's policy to its workers.
_WEBASSEMBLY = " 'wasm-unsafe-eval'"

_MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".jpg": "image/jpeg",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".mjs": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
}


def media_type(name: str) -> str:
    """The ``Content-Type`` of a file by the end of its name; ``application/octet-stream`` for an unknown one."""
    return _MEDIA_TYPES.get(PurePosixPath(name).suffix, "application/octet-stream")


def folder_files(folder: Path) -> dict[str, bytes]:
    """The files in a folder and below: path relative to the folder, with ``/`` -> content; empty without a folder."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def page_files(backend: Backend) -> dict[str, bytes]:
    """The page's files: path relative to the page's URL -> content; the page itself is ``index.html``.

    Args:
        backend: what captions the photos: ``"remote"``, the server's ``v1/captions``; ``"local"``, the browser, which
            needs further files: see `sightline.serve.site`.
    """
    other_backend = _REMOTE_ONLY if backend == "local" else _LOCAL_ONLY
    files = folder_files(Path(__file__).parent / "page")
    files = {name: content for name, content in files.items() if name not in other_backend}
    policy = POLICY + _WEBASSEMBLY * (backend == "local")
    files["index.html"] = fill_file(files["index.html"], POLICY=policy)
    files["emphasis.js"] = fill_file(
        files["emphasis.js"], ATTENTION=json.dumps(FULL_AT_LEAST), EVIDENCE=json.dumps(FULL_EVIDENCE)
    )
    if backend == "local":
        files["reading.js"] = fill_file(files["reading.js"], UNSPACED=json.dumps(UNSPACED))
    files["backend.js"] = f'export * from "./{backend}.js";\n'.encode()
    # The cards look and behave like those of `sightline explain`.
    return files | {"explain.css": fill("__STYLE__").encode(), "explain.js": fill("__SCRIPT__").encode()}


def fill_file(content: bytes, **parts: str) -> bytes:
    """Replace each ``__NAME__`` in a file by the part of that name."""
    return re.sub(r"__([A-Z]+)__", lambda name: parts[name[1]], content.decode()).encode()
