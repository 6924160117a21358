"""Ollama's endpoints: generate and chat, with pictures in base64, and what its clients ask about models."""

from __future__ import annotations

import hashlib
import json
import time
from datetime import UTC, datetime
from typing import Any, ClassVar

from fastapi import FastAPI
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel
from starlette.requests import Request

from sightline._version import __version__
from sightline.captioner import Captioner
from sightline.model_folder import identity
from sightline.serve.json_request import ENDPOINTS, MODEL, Captioned, Endpoint, JsonRequest, caption_json
from sightline.serve.limits import Refused
from sightline.serve.request import CaptionRequests

_TAG = f"{MODEL}:latest"


class _Ollama(JsonRequest):
    stream: bool | None = True


class Generate(_Ollama):
    """A prompt with photos."""

    UNREAD: ClassVar[tuple[str, ...]] = ("prompt", "system", "suffix", "context", "format")

    images: list[str] | None = None

    def photos(self) -> list[tuple[str, str]]:
        return [(f"images.{place}", image) for place, image in enumerate(self.images or ())]


class _Message(BaseModel):
    role: str
    content: str | None = None
    images: list[str] | None = None


class Chat(_Ollama):
    """A conversation, of which the last message with photos counts."""

    PHOTOS_IN: ClassVar[str] = "messages"
    UNREAD: ClassVar[tuple[str, ...]] = ("tools", "format")

    messages: list[_Message]

    def photos(self) -> list[tuple[str, str]]:
        for number, message in reversed([*enumerate(self.messages)]):
            if message.images:
                return [(f"messages.{number}.images.{place}", image) for place, image in enumerate(message.images)]
        return []

    def unread(self) -> list[str]:
        roles = {
            "system prompt" if message.role == "system" else "text" for message in self.messages if message.content
        }
        return [*sorted(roles), *super().unread()]


def _add(app: FastAPI, requests: CaptionRequests) -> None:
    started = _now()

    @app.post("/api/generate", include_in_schema=False)
    async def generate(request: Request) -> Response:
        began = time.perf_counter_ns()
        captioned = await caption_json(requests, request, Generate)
        return _answer(captioned, {"response": captioned.text}, {"response": ""}, began)

    @app.post("/api/chat", include_in_schema=False)
    async def chat(request: Request) -> Response:
        began = time.perf_counter_ns()
        captioned = await caption_json(requests, request, Chat)
        message, last = ({"role": "assistant", "content": text} for text in (captioned.text, ""))
        return _answer(captioned, {"message": message}, {"message": last}, began)

    @app.get("/api/tags", include_in_schema=False)
    async def tags() -> dict[str, Any]:
        captioner = requests.service.captioner
        digest = hashlib.sha256(json.dumps(identity(captioner.config, captioner.vocabulary)).encode()).hexdigest()
        model = {"name": _TAG, "model": _TAG, "modified_at": started, "size": 0, "digest": digest}
        return {"models": [{**model, "details": _details(captioner)}]}

    @app.post("/api/show", include_in_schema=False)
    async def show() -> dict[str, Any]:
        captioner = requests.service.captioner
        information = {"general.architecture": MODEL, "general.basename": MODEL}
        told = {"modified_at": started, "details": _details(captioner), "model_info": information}
        return {**told, "template": "", "parameters": "", "capabilities": ["completion", "vision"]}

    @app.get("/api/version", include_in_schema=False)
    async def version() -> dict[str, str]:
        return {"version": __version__}


def _answer(captioned: Captioned[Any], whole: dict[str, Any], last: dict[str, Any], began: int) -> Response:
    """The answer with its ``whole`` content; in a stream, a line with it, and a ``last`` one as Ollama's are."""
    head = {"model": _TAG, "created_at": _now()}
    spent = time.perf_counter_ns() - began
    done = {
        **{"done": True, "done_reason": "stop", "total_duration": spent, "load_duration": 0, "prompt_eval_count": 0},
        **{"prompt_eval_duration": 0, "eval_count": captioned.words, "eval_duration": spent, **captioned.note},
    }
    if captioned.asked.stream is False:
        return JSONResponse({**head, **whole, **done})
    lines = {**head, **whole, "done": False}, {**head, **last, **done}
    return Response("".join(f"{json.dumps(line)}\n" for line in lines), media_type="application/x-ndjson")


def _details(captioner: Captioner) -> dict[str, Any]:
    level = captioner.precision.upper()
    kind = {"format": "onnx", "family": MODEL, "families": [MODEL], "parent_model": ""}
    return {**kind, "parameter_size": "", "quantization_level": level}


def _now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


def _refusal(error: Refused) -> dict[str, Any]:
    return {"error": error.message}


ENDPOINTS.add("ollama", Endpoint(("/api/",), _add, _refusal), by=_add)
