"""The form of PhotoPrism's vision service: one image as a data: URL, and its caption."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from fastapi import FastAPI
from fastapi.responses import JSONResponse, Response
from starlette.requests import Request

from sightline._version import __version__
from sightline.caption import sureness
from sightline.serve.json_request import ENDPOINTS, MODEL, Endpoint, JsonRequest, caption_json
from sightline.serve.limits import Refused
from sightline.serve.request import CaptionRequests

_PATH = "/api/v1/vision/caption"


class Vision(JsonRequest):
    """One image; a URL in its place is refused."""

    UNREAD: ClassVar[tuple[str, ...]] = ("prompt", "system", "suffix", "context", "format")

    id: str = ""
    images: list[str] | None = None
    url: str = ""

    def photos(self) -> list[tuple[str, str]]:
        if len(self.images or ()) > 1:
            raise Refused(422, "too_many_photos", "the answer has one caption: send one image")
        if self.url and not self.images:
            return [("url", self.url)]
        return [("images.0", image) for image in self.images or ()]


def _add(app: FastAPI, requests: CaptionRequests) -> None:
    @app.post(_PATH, include_in_schema=False)
    @app.post(f"{_PATH}/{{_:path}}", include_in_schema=False)  # the name and version of a model
    async def caption(request: Request) -> Response:
        captioned = await caption_json(requests, request, Vision)
        (result,) = captioned.captions
        confidence = sureness(result.get("confidence"), result["log_probs"], result.get("kind"))
        found = {"text": result["caption"], "source": "image", "confidence": round(confidence, 4)}
        head = {"id": captioned.asked.id or str(uuid.uuid4()), "code": 200}
        model = {"name": MODEL, "version": __version__}
        return JSONResponse({**head, "model": model, "result": {"caption": found}, **captioned.note})


def _refusal(error: Refused) -> dict[str, Any]:
    return {"code": error.status, "error": error.message}


ENDPOINTS.add("photoprism", Endpoint(("/api/v1/vision/",), _add, _refusal), by=_add)
