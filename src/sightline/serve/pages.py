"""The page at / and the API's description at /docs: files of this installation, with no request to another host."""

from __future__ import annotations

import mimetypes
from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import RedirectResponse, Response
from fastapi_offline import FastAPIOffline
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

PAGE = Path(__file__).parent / "page"
DOCS = Path(__file__).parent / "docs"

# Photos are shown from the visitor's own memory (blob:), and nothing comes from, or goes to, another host.
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:;"
    " font-src 'self'; connect-src 'self' blob:; worker-src 'self'; manifest-src 'self'; base-uri 'none';"
    " form-action 'self'; frame-ancestors 'none'"
)
# Swagger UI writes styles into its elements.
DOCS_POLICY = PAGE_POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")

# What the system thinks of these endings differs, or is wrong.
_TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".json": "application/json",
    ".mjs": "text/javascript",
    ".svg": "image/svg+xml",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
}


class Pages(StaticFiles):
    """A folder's files, under a content security policy."""

    def __init__(self, folder: Path, policy: str) -> None:
        super().__init__(directory=folder, html=True)
        self._headers = {
            "Content-Security-Policy": policy,
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cache-Control": "no-cache",  # asks each time whether the file is still the same
        }

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The file, or what Starlette answers instead, with the headers added."""
        response = await super().get_response(path, scope)
        response.headers.update(self._headers)
        return response


def add_pages(app: FastAPI, page: Path) -> None:
    """Serve the page where there is one, and the API's description with Swagger UI's files from a package."""
    for ending, kind in _TYPES.items():
        mimetypes.add_type(kind, ending)
    (swagger,) = (route for route in FastAPIOffline(docs_url=None, redoc_url=None).routes if isinstance(route, Mount))
    app.mount("/docs/swagger", swagger.app)
    app.mount("/docs", Pages(DOCS, DOCS_POLICY))
    if (page / "index.html").is_file():
        # Last of all, not mounted: a mount at / would answer for paths that exist under another method.
        app.router.default = Pages(page, PAGE_POLICY)
    else:
        app.add_route("/", lambda _: RedirectResponse("docs/"), include_in_schema=False)
