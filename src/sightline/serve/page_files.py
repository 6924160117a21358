"""The files of the page, as a browser asks for them: `sightline serve` answers with them, a static site holds them."""

from __future__ import annotations

import io
import json
import re
from functools import cache
from importlib import resources
from pathlib import PurePosixPath
from typing import Literal, TypeAlias

from sightline.explain.emphasis import FULL_AT_LEAST, FULL_EVIDENCE
from sightline.explain.page import fill
from sightline.scripts import UNSPACED
from sightline.serve.examples import EXAMPLES

Backend: TypeAlias = Literal["remote", "local"]

# What only the model in the browser needs.
_LOCAL_ONLY = frozenset(
    f"{name}.js"
    for name in ("blank", "local", "offline", "reading", "resample", "search", "standardise", "stored", "worker")
)
_REMOTE_ONLY = frozenset({"remote.js"})

# Whatever the page is, it may speak to where it came from and to nobody else.
_POLICY = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; style-src 'self'; connect-src 'self'; worker-src 'self';"
    " img-src 'self' blob: data:; media-src 'self' blob:; script-src 'self'"
)
# What compiles WebAssembly, in browsers that let a page's rule hold for its workers.
_COMPILES = " 'wasm-unsafe-eval'"

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".jpg": "image/jpeg",
}


def page_files(backend: Backend) -> dict[str, bytes]:
    """Name, as in a URL beside the page's own -> content; the page itself is ``index.html``.

    Args:
        backend: what captions the photos: ``"remote"``, the server's ``v1/captions``; ``"local"``, the browser, which
            needs further files: see `sightline.serve.site`.
    """
    left_out = _REMOTE_ONLY if backend == "local" else _LOCAL_ONLY
    folder = resources.files("sightline.serve").joinpath("page")
    files = {entry.name: entry.read_bytes() for entry in folder.iterdir() if entry.name not in left_out}
    policy = _POLICY + _COMPILES * (backend == "local")
    files["index.html"] = replaced(files["index.html"], POLICY=policy)
    files["emphasis.js"] = replaced(
        files["emphasis.js"], ATTENTION=json.dumps(FULL_AT_LEAST), EVIDENCE=json.dumps(FULL_EVIDENCE)
    )
    if backend == "local":
        files["reading.js"] = replaced(files["reading.js"], UNSPACED=json.dumps(UNSPACED))
    files["backend.js"] = f'export * from "./{backend}.js";\n'.encode()
    # The cards look and answer as those of `sightline explain` do.
    files |= {"explain.css": fill("__STYLE__").encode(), "explain.js": fill("__SCRIPT__").encode()}
    files["example_names.js"] = f"export const EXAMPLES = {json.dumps(list(_examples()))};\n".encode()
    return files | {f"examples/{name}": content for name, content in _examples().items()}


def media_type(name: str) -> str:
    """What to send a file of `page_files` as."""
    return _TYPES[PurePosixPath(name).suffix]


def replaced(content: bytes, **parts: str) -> bytes:
    """A file's ``__NAME__`` replaced by the part of that name."""
    return re.sub(r"__([A-Z]+)__", lambda found: parts[found[1]], content.decode()).encode()


@cache
def _examples() -> dict[str, bytes]:
    """The drawn examples as JPEG files."""
    files = {}
    for name, draw in EXAMPLES.items():
        buffer = io.BytesIO()
        draw().save(buffer, "JPEG", quality=85, optimize=True)
        files[f"{name}.jpg"] = buffer.getvalue()
    return files
