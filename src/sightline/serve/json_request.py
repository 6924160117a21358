"""A request in JSON whose photos are base64, as other programs' endpoints have it -> photos, under the same limits."""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.requests import Request

from sightline.registry import Registry
from sightline.serve.limits import Limits, Refused
from sightline.serve.request import CaptionRequests
from sightline.serve.schemas import Result, answer
from sightline.serve.upload import Upload, body_chunks

MODEL = "sightline"  # the name of the one model; requests may name any other, and get this one's caption

# JSON's numbers and brackets take fifty times their size in memory: no honest request has as many.
_ITEMS = 100_000


class JsonRequest(BaseModel):
    """The fields of a request that are read; others are kept, for `unread`."""

    model_config = ConfigDict(extra="allow")

    PHOTOS_IN: ClassVar[str] = "images"  # the field that holds the photos
    UNREAD: ClassVar[tuple[str, ...]] = ()  # fields that ask for what a model that only describes cannot do

    def photos(self) -> list[tuple[str, str]]:
        """Where each photo is in the request, and its base64 or data: URL."""
        raise NotImplementedError

    def unread(self) -> list[str]:
        """What the request has and the caption does not depend on."""
        return [name for name in self.UNREAD if (self.model_extra or {}).get(name)]


Asked = TypeVar("Asked", bound=JsonRequest)


@dataclass(frozen=True)
class Endpoint:
    """The way of one program to ask for captions.

    Attributes:
        paths: the beginnings of its paths; every error below them has its form.
        add: adds its routes.
        refusal: the body that tells of a refused request.
    """

    paths: tuple[str, ...]
    add: Callable[[FastAPI, CaptionRequests], None]
    refusal: Callable[[Refused], dict[str, Any]]


ENDPOINTS: Registry[Endpoint] = Registry("endpoint", "endpoints", "sightline.serve.endpoints")


@dataclass(frozen=True)
class Captioned(Generic[Asked]):
    """A request, without its photos, and their captions.

    Attributes:
        text: one caption a line, in the photos' order.
        words: how many words they have.
        note: ``{"note": ...}`` if there is something to know about the captions, else empty.
    """

    asked: Asked
    captions: list[Result]
    text: str
    words: int
    note: dict[str, str]


async def caption_json(requests: CaptionRequests, request: Request, kind: type[Asked]) -> Captioned[Asked]:
    """Caption all photos of a request of a ``kind``; `Refused` if one of them cannot be captioned."""
    reader = _Reader(kind, requests.parsing)
    results = await requests.captioned(request, reader.read)
    for result in results:
        if "error" in result:
            status, _, _ = answer([result])
            raise Refused(status, result["error"]["code"], f"{result['photo']}: {result['error']['message']}")
    only = [f"this model only describes photos; not read: {', '.join(reader.unread)}"] if reader.unread else []
    notes = dict.fromkeys(only + [result["note"] for result in results if "note" in result])
    return Captioned(
        reader.asked,
        results,
        "\n".join(result["caption"] for result in results),
        sum(len(result["words"]) for result in results),
        {"note": "; ".join(notes)} if notes else {},
    )


class _Reader(Generic[Asked]):
    """Reads one request, and keeps of it what the answer depends on."""

    asked: Asked
    unread: list[str]

    def __init__(self, kind: type[Asked], parsing: asyncio.Lock) -> None:
        self._kind, self._parsing = kind, parsing

    async def read(self, request: Request, limits: Limits) -> Upload:
        body = bytearray()
        async for chunk in body_chunks(request, limits):
            body += chunk
        async with self._parsing:
            return await asyncio.to_thread(self._parse, body, limits)

    def _parse(self, body: bytearray, limits: Limits) -> Upload:
        if sum(body.count(item) for item in (b",", b"[", b"{")) > _ITEMS:
            raise Refused(422, "bad_option", f"a request may have {_ITEMS:,} values beside its photos")
        try:
            self.asked = self._kind.model_validate_json(body)
        except ValidationError as error:
            raise _refused(error) from None
        self.unread = self.asked.unread()
        upload = Upload(limits)
        upload.options["attention"] = "false"
        for where, text in self.asked.photos():
            upload.begin_photo(where)
            content = _decoded(where, text)
            upload.data(content, 0, len(content))
        upload.check_photos(f"{self._kind.PHOTOS_IN!r}, in base64")
        setattr(self.asked, self._kind.PHOTOS_IN, [])  # they would stay in memory until the answer
        return upload


def _refused(error: ValidationError) -> Refused:
    # Of a field that may have several types, the last one's error goes deepest.
    last = error.errors(include_url=False, include_context=False, include_input=False)[-1]
    if last["type"] == "json_invalid":
        return Refused(400, "malformed", last["msg"])
    path = ".".join(str(part) for part in last["loc"] if "[" not in str(part))  # without names of types
    return Refused(422, "bad_option", f"{path[:200] or 'the body'}: {last['msg']}")


def _decoded(where: str, text: str) -> bytes:
    if text[:5].lower() == "data:":
        head, _, text = text.partition(",")
        if not head.lower().endswith(";base64"):
            raise Refused(422, "bad_option", f"{where}: send it as data:image/jpeg;base64,...")
    elif re.match(r"[a-zA-Z][\w+.-]*:", text):
        raise Refused(422, "bad_option", f"{where}: no URL is fetched ({text[:80]}); send the photo itself, in base64")
    encoded = text.encode().translate(None, b" \t\r\n")
    try:
        # Some programs leave the padding out.
        return base64.b64decode(encoded + b"=" * (-len(encoded) % 4), validate=True)
    except ValueError:
        raise Refused(422, "unreadable", f"{where}: not base64") from None
