"""HTTP for the page at / and the API's description at /docs: files from memory, none from another host."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import RedirectResponse, Response
from fastapi_offline import FastAPIOffline
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from sightline.serve.page_files import POLICY, folder_files, media_type

# In a header the policy can also forbid other sites to frame the page.
PAGE_POLICY = f"{POLICY}; frame-ancestors 'none'"
# Swagger UI writes styles into its elements.
DOCS_POLICY = PAGE_POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")


class Pages:
    """ASGI application: answers for files held in memory, with a content security policy; ``/`` is ``index.html``."""

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
        """Answer one request; raises Starlette's `HTTPException` for an unknown file or another method."""
        if scope["type"] != "http":
            raise HTTPException(404)
        if scope["method"] not in ("GET", "HEAD"):
            raise HTTPException(405, headers={"Allow": "GET, HEAD"})
        # ASGI: `path` begins with `root_path`, which is where the application is mounted.
        root_path = scope.get("root_path", "")
        if scope["path"] == root_path:  # the page's own links begin at its folder
            await RedirectResponse(f"{root_path}/")(scope, receive, send)
            return
        name = scope["path"].removeprefix(root_path).lstrip("/")
        name = name or "index.html"
        if name not in self._files:
            raise HTTPException(404)
        headers = {**self._headers, "ETag": self._tags[name]}
        if self._tags[name] in Headers(scope=scope).get("if-none-match", ""):
            answer = Response(status_code=304, headers=headers)
        else:
            answer = Response(self._files[name], headers=headers, media_type=media_type(name))
        await answer(scope, receive, send)


def add_pages(app: FastAPI, page: Mapping[str, bytes]) -> None:
    """Serve ``page`` at ``/`` unless it is empty, and the API's description at ``/docs``."""
    app.mount("/docs/swagger", _swagger_files())
    app.mount("/docs", Pages(folder_files(Path(__file__).parent / "docs"), DOCS_POLICY))
    if page:
        # The router's default, not a mount: a mount at / would answer for paths that exist under another method.
        app.router.default = Pages(page, PAGE_POLICY)
    else:
        app.add_route("/", lambda _: RedirectResponse("docs/"), include_in_schema=False)


def _swagger_files() -> ASGIApp:
    """Swagger UI's files. Relies on fastapi-offline mounting exactly one application, which serves them."""
    (mount,) = (route for route in FastAPIOffline(docs_url=None, redoc_url=None).routes if isinstance(route, Mount))
    return mount.app
