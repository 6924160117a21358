"""A multipart body -> photos and options, read in chunks: nothing over a limit is kept in memory."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from starlette.requests import Request

from sightline.serve.limits import Limits, Refused
from sightline.serve.schemas import CaptionOptions

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

PHOTOS = "photos"
_OPTION_BYTES = 100

# It would log every malformed body, which the client is told about anyway.
logging.getLogger("python_multipart").setLevel(logging.ERROR)


@dataclass
class UploadedPhoto:
    """A photo as it arrived; one over the limit is marked ``too_large`` and has no bytes."""

    name: str
    content: bytearray = field(default_factory=bytearray)
    too_large: bool = False


@dataclass
class Upload:
    """The content of a request: its photos in their order, its options as text."""

    photos: list[UploadedPhoto] = field(default_factory=list)
    options: dict[str, str] = field(default_factory=dict)


async def read_upload(request: Request, limits: Limits) -> Upload:
    """Read a request's body.

    Raises:
        Refused: it is not a multipart form, is malformed or incomplete, is larger than ``limits`` allow, or has a
            field that is neither photos nor an option.
        starlette.requests.ClientDisconnect: the client closed the connection.
    """
    kind, parameters = parse_options_header(request.headers.get("content-type"))
    if kind != b"multipart/form-data" or not parameters.get(b"boundary"):
        raise Refused(415, "not_multipart", f"send multipart/form-data, with image files in the field {PHOTOS!r}")
    form = _Form(limits)
    size = 0
    try:
        parser = MultipartParser(parameters[b"boundary"], form.callbacks())
        async for chunk in request.stream():
            size += len(chunk)
            if size > limits.request_bytes:
                raise Refused(413, "too_large", f"a request may have {limits.request_bytes:,} bytes; send fewer photos")
            parser.write(chunk)
    except FormParserError as error:
        raise Refused(400, "malformed", f"malformed multipart body: {error}") from None
    if not form.ended:
        raise Refused(400, "malformed", "the multipart body ends before its last boundary")
    if not form.upload.photos:
        raise Refused(422, "no_photos", f"no photos: send one or more image files in the field {PHOTOS!r}")
    return form.upload


class _Form:
    """Collects an `Upload` from the parser's callbacks, part by part."""

    def __init__(self, limits: Limits) -> None:
        self.upload = Upload()
        self.ended = False
        self._limits = limits
        self._header, self._value, self._disposition = b"", b"", b""
        self._photo: UploadedPhoto | None = None
        self._option = ""

    def callbacks(self) -> MultipartCallbacks:
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._header_name,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_end,
            "on_part_data": self._data,
            "on_end": self._end,
        }

    def _begin(self) -> None:
        self._disposition = b""

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = self._value
        self._header, self._value = b"", b""

    def _headers_end(self) -> None:
        _, parameters = parse_options_header(self._disposition)
        name, filename = (parameters.get(key, b"").decode(errors="replace") for key in (b"name", b"filename"))
        photos = self.upload.photos
        if name == PHOTOS:
            if len(photos) == self._limits.photos:
                raise Refused(422, "too_many_photos", f"a request may have {self._limits.photos} photos")
            self._photo = UploadedPhoto(filename or f"photo {len(photos) + 1}")
            photos.append(self._photo)
        elif name in CaptionOptions.model_fields:
            self._photo, self._option = None, name
            self.upload.options[name] = ""
        else:
            known = ", ".join(CaptionOptions.model_fields)
            raise Refused(422, "bad_option", f"no field {name[:50]!r}: photos go in {PHOTOS!r}; options are {known}")

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._photo is None:
            value = self.upload.options[self._option] + data[start:end].decode(errors="replace")
            if len(value) > _OPTION_BYTES:
                raise Refused(422, "bad_option", f"{self._option}: no such value")
            self.upload.options[self._option] = value
        elif self._photo.too_large or len(self._photo.content) + end - start > self._limits.photo_bytes:
            self._photo.too_large = True
            self._photo.content.clear()
        else:
            self._photo.content += data[start:end]

    def _end(self) -> None:
        self.ended = True
