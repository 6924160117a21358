"""What the service refuses, so that no client can take it from the others."""

from __future__ import annotations

from dataclasses import dataclass

MB = 1_000_000


@dataclass(frozen=True)
class Limits:
    """Every limit of the service; all are 1 or more.

    Attributes:
        photo_bytes: of one photo as uploaded.
        request_bytes: of a request's whole body; together with ``queue`` this bounds the memory uploads take.
        pixels: of one photo, by its header, before anything is decoded.
        photos: in one request.
        queue: requests taken at once, whether being read, waiting or being captioned; of each worker.
        seconds: that a request may take, from its first byte to its answer.
        beam_size: the largest that may be asked for.
    """

    photo_bytes: int = 20 * MB
    request_bytes: int = 40 * MB
    pixels: int = 50 * MB
    photos: int = 16
    queue: int = 64
    seconds: int = 30
    beam_size: int = 10
