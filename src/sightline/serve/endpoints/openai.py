"""Chat completions as OpenAI's clients ask for them, with pictures as data: URLs."""

from __future__ import annotations

import json
import time
import uuid
from typing import Any, ClassVar

from fastapi import FastAPI
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel
from starlette.requests import Request

from sightline.serve.json_request import ENDPOINTS, MODEL, Captioned, Endpoint, JsonRequest, caption_json
from sightline.serve.limits import Refused
from sightline.serve.request import CaptionRequests


class _ImageUrl(BaseModel):
    url: str


class _Part(BaseModel):
    type: str
    image_url: _ImageUrl | str | None = None


class _Message(BaseModel):
    role: str
    content: str | list[_Part] | None = None

    def parts(self) -> list[_Part]:
        """The parts of its content."""
        return self.content if isinstance(self.content, list) else [_Part(type="text")] if self.content else []


class _StreamOptions(BaseModel):
    include_usage: bool = False


class ChatCompletion(JsonRequest):
    """A conversation, of which the last message with photos counts."""

    PHOTOS_IN: ClassVar[str] = "messages"
    UNREAD: ClassVar[tuple[str, ...]] = ("tools", "functions", "response_format")

    messages: list[_Message]
    stream: bool | None = None
    stream_options: _StreamOptions | None = None

    def photos(self) -> list[tuple[str, str]]:
        for number, message in reversed([*enumerate(self.messages)]):
            urls = [(place, part.image_url) for place, part in enumerate(message.parts()) if part.image_url]
            if urls:
                where = f"messages.{number}.content"
                return [(f"{where}.{place}.image_url", url if isinstance(url, str) else url.url) for place, url in urls]
        return []

    def unread(self) -> list[str]:
        roles = {message.role for message in self.messages}
        system = ["system prompt"] if roles & {"system", "developer"} else []
        asking = (message for message in self.messages if message.role not in {"system", "developer"})
        kinds = {part.type[:20]: None for message in asking for part in message.parts() if part.type != "image_url"}
        return [*system, *kinds, *super().unread()]


def _add(app: FastAPI, requests: CaptionRequests) -> None:
    model = {"id": MODEL, "object": "model", "created": int(time.time()), "owned_by": MODEL}

    @app.post("/v1/chat/completions", include_in_schema=False)
    async def complete(request: Request) -> Response:
        captioned = await caption_json(requests, request, ChatCompletion)
        if captioned.asked.stream:
            events = [*map(json.dumps, _chunks(captioned)), "[DONE]"]
            return Response("".join(f"data: {event}\n\n" for event in events), media_type="text/event-stream")
        message = {"role": "assistant", "content": captioned.text, "refusal": None}
        body = {**_head("chat.completion", captioned), "choices": [_choice("message", message)]}
        return JSONResponse({**body, "usage": _usage(captioned)})

    @app.get("/v1/models", include_in_schema=False)
    async def models() -> dict[str, Any]:
        return {"object": "list", "data": [model]}

    @app.get("/v1/models/{name}", include_in_schema=False)
    async def one_model(name: str) -> dict[str, Any]:
        if name != MODEL:
            raise Refused(404, "not_found", f"no model {name[:50]!r}: the one here is {MODEL!r}")
        return model


def _chunks(captioned: Captioned[ChatCompletion]) -> list[dict[str, Any]]:
    head = _head("chat.completion.chunk", captioned)
    delta = {"role": "assistant", "content": captioned.text}
    chunks = [{**head, "choices": [_choice("delta", delta)]}]
    options = captioned.asked.stream_options
    if options and options.include_usage:
        chunks.append({**head, "choices": [], "usage": _usage(captioned)})
    return chunks


def _head(kind: str, captioned: Captioned[ChatCompletion]) -> dict[str, Any]:
    name = f"chatcmpl-{uuid.uuid4().hex}"
    return {"id": name, "object": kind, "created": int(time.time()), "model": MODEL, **captioned.note}


def _choice(name: str, content: dict[str, Any]) -> dict[str, Any]:
    return {"index": 0, name: content, "logprobs": None, "finish_reason": "stop"}


def _usage(captioned: Captioned[ChatCompletion]) -> dict[str, int]:
    """The words of the captions; a photo is not made of tokens."""
    return {"prompt_tokens": 0, "completion_tokens": captioned.words, "total_tokens": captioned.words}


def _refusal(error: Refused) -> dict[str, Any]:
    kind = "rate_limit_error" if error.status == 429 else "invalid_request_error"
    kind = "server_error" if error.status >= 500 else kind
    return {"error": {"message": error.message, "type": kind, "param": None, "code": error.code}}


ENDPOINTS.add("openai", Endpoint(("/v1/chat/", "/v1/models"), _add, _refusal), by=_add)
