"""The service's limits, and `Refused`, raised for a request or a photo that it does not take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

MB = 1_000_000

# Why a photo or a request was refused, for programs.
PhotoCode: TypeAlias = Literal["empty", "unreadable", "too_large", "too_many_pixels", "failed"]
FormCode: TypeAlias = Literal["no_photos", "too_many_photos", "bad_option", "malformed", "not_multipart", "encoded"]
StateCode: TypeAlias = Literal["queue_full", "stopping", "too_slow", "timeout", "not_found", "method_not_allowed"]
Code: TypeAlias = Literal[PhotoCode, FormCode, StateCode]


@dataclass(frozen=True)
class Limits:
    """Every limit of the service, so that no client can take it from the others; all are 1 or more.

    Attributes:
        photo_bytes: size of one uploaded photo.
        request_bytes: size of a request's whole body; together with ``queue`` this bounds the memory of uploads.
        pixels: of one photo, by its header, before anything is decoded.
        photos: in one request.
        queue: requests accepted at once, whether being read, waiting or being captioned; per worker. One client has
            three times as many of these places as are free, at most: three quarters of them, where it is alone.
        seconds: a request may take, from its first byte to its answer; and a connection may have no request.
        beam_size: the largest that a request may ask for.
    """

    photo_bytes: int = 20 * MB
    request_bytes: int = 40 * MB
    pixels: int = 50 * MB
    photos: int = 16
    queue: int = 64
    seconds: int = 30
    beam_size: int = 10


class Refused(Exception):
    """A request, or one photo of it, that the service does not take.

    ``code`` is the reason for programs, ``message`` for people; the HTTP ``status`` and ``headers`` count where the
    whole request is refused.
    """

    def __init__(self, status: int, code: Code, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message
        self.headers = {"Retry-After": "1"} if status in (429, 503, 504) else {}

    def as_dict(self) -> dict[str, object]:
        """The body of the answer, or the photo's entry in it."""
        return {"error": {"code": self.code, "message": self.message}}
