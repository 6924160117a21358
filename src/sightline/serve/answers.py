"""Which status and body a request for captions is answered with."""

from __future__ import annotations

from typing import Any

from sightline.serve.models import UNREADABLE, Captions, Code, Refusal

DESCRIPTION = """Captions photos and shows where the model looked, word by word.

    curl -F photos=@dog.jpg -F photos=@cat.jpg -F beam_size=5 localhost:8000/v1/captions

Nothing is fetched, kept or shared: no URL and no path is read, and a photo is forgotten once it is captioned."""


def answer(results: list[dict[str, Any]]) -> tuple[int, str, dict[str, Any]]:
    """HTTP status, outcome for the metrics, and body.

    200 where at least one photo was captioned; otherwise 413 if all were too large, 500 if the service itself failed
    on one, and else 422. The body is of the same shape every time.
    """
    codes = {result["error"]["code"] if "error" in result else None for result in results}
    body = {"captions": results}
    if None in codes:
        return 200, "captioned" if codes == {None} else "partly", body
    return 500 if "failed" in codes else 413 if codes == {"too_large"} else 422, "unusable", body


def _refusal(code: Code, message: str) -> dict[str, Any]:
    return {"summary": code, "value": {"error": {"code": code, "message": message}}}


def _answer(description: str, *examples: dict[str, Any], retry: bool = False, photos: bool = False) -> dict[str, Any]:
    told = {example["summary"]: example for example in examples}
    header = {"Retry-After": {"description": "Seconds to wait before asking again.", "schema": {"type": "integer"}}}
    return {
        "model": Captions | Refusal if photos else Refusal,
        "description": description,
        "content": {"application/json": {"examples": told}},
        **({"headers": header} if retry else {}),
    }


_NO_CAPTION = {"summary": "no photo could be captioned", "value": {"captions": [UNREADABLE]}}

ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"description": "At least one photo was captioned; the others have their error in their place."},
    400: _answer("The body is malformed.", _refusal("malformed", "the multipart body ends before its last boundary")),
    408: _answer("The body took too long to arrive.", _refusal("too_slow", "the request did not arrive within 30 s")),
    413: _answer(
        "The request, or every photo of it, has too many bytes.",
        _refusal("too_large", "a request may have 40,000,000 bytes; send fewer photos"),
        photos=True,
    ),
    415: _answer(
        "The body is no multipart form.",
        _refusal("not_multipart", "send multipart/form-data, with image files in the field 'photos'"),
    ),
    422: _answer(
        "No photo could be captioned, none came, too many came, or an option is impossible.",
        _NO_CAPTION,
        _refusal("bad_option", "beam_size: Input should be greater than or equal to 1"),
        photos=True,
    ),
    429: _answer("The queue is full.", _refusal("queue_full", "too many requests at once; ask again"), retry=True),
    500: _answer("The service failed.", _refusal("failed", "the service failed; its log says why"), photos=True),
    503: _answer("The service is stopping.", _refusal("stopping", "the service is stopping; ask again"), retry=True),
    504: _answer("Not done in time.", _refusal("timeout", "not done within 30 s; send fewer photos"), retry=True),
}
