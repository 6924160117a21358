"""The page at / and the API's description at /docs: files of this installation, with no request to another host."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from fastapi import FastAPI
from fastapi.responses import RedirectResponse, Response
from fastapi_offline import FastAPIOffline
from starlette._utils import get_route_path
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.routing import Mount
from starlette.types import Receive, Scope, Send

DOCS = Path(__file__).parent / "docs"

# Photos are shown from the visitor's own memory (blob:), and nothing comes from, or goes to, another host.
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:;"
    " font-src 'self'; connect-src 'self' blob:; worker-src 'self'; manifest-src 'self'; base-uri 'none';"
    " form-action 'self'; frame-ancestors 'none'"
)
# Swagger UI writes styles into its elements.
DOCS_POLICY = PAGE_POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".jpg": "image/jpeg",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".mjs": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
}


def folder_files(folder: Path) -> dict[str, bytes]:
    """The files in a folder and below, by the path that a URL names them with; none where there is no folder."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


class Pages:
    """Answers for files held in memory, under a content security policy; ``index.html`` also stands for ``/``."""

    def __init__(self, files: Mapping[str, bytes], policy: str) -> None:
        self._files = dict(files)
        self._tags = {name: f'"{hashlib.sha256(content).hexdigest()[:32]}"' for name, content in files.items()}
        self._headers = {
            "Content-Security-Policy": policy,
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cache-Control": "no-cache",  # a browser asks each time whether the file is still the same
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI application; raises Starlette's `HTTPException` for what is not there."""
        if scope["type"] != "http":
            raise HTTPException(404)
        if scope["method"] not in ("GET", "HEAD"):
            raise HTTPException(405, headers={"Allow": "GET, HEAD"})
        response = self._answer(get_route_path(scope).lstrip("/") or "index.html", Headers(scope=scope))
        await response(scope, receive, send)

    def _answer(self, name: str, asked: Headers) -> Response:
        if name not in self._files:
            raise HTTPException(404)
        headers = {**self._headers, "ETag": self._tags[name]}
        if self._tags[name] in asked.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        kind = _TYPES.get(PurePosixPath(name).suffix, "application/octet-stream")
        return Response(self._files[name], headers={**headers, "Content-Type": kind})


def add_pages(app: FastAPI, page: Mapping[str, bytes]) -> None:
    """Serve the page where there is one, and the API's description with Swagger UI's files out of a package."""
    (swagger,) = (route for route in FastAPIOffline(docs_url=None, redoc_url=None).routes if isinstance(route, Mount))
    app.mount("/docs/swagger", swagger.app)
    app.mount("/docs", Pages(folder_files(DOCS), DOCS_POLICY))
    if page:
        # Asked last of all, and not mounted: a mount at / would answer for paths that exist under another method.
        app.router.default = Pages(page, PAGE_POLICY)
    else:
        app.add_route("/", lambda _: RedirectResponse("docs/"), include_in_schema=False)
