"""What the API takes and answers, as /openapi.json describes it."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from sightline.serve.limits import Code, Limits
from sightline.sessions import BEAM_SIZE, LENGTH_PENALTY

Result: TypeAlias = dict[str, Any]  # a photo's entry in the answer: a `PhotoCaption` or a `PhotoProblem`
Maps: TypeAlias = list[list[list[float]]]  # for every word, for every row of the grid, a value for every cell

DESCRIPTION = """Captions photos and shows where the model looked, word by word.

    curl -F photos=@dog.jpg -F photos=@cat.jpg -F beam_size=5 localhost:8000/v1/captions

The service fetches no URL, reads no path, and keeps no photo once it is captioned.

Clients of OpenAI, Ollama and PhotoPrism's vision service may ask at their own paths, which are not listed here."""

_PHOTO: dict[str, JsonValue] = {
    "photo": "dog.jpg",
    "caption": "a dog runs",
    "words": ["a", "dog", "runs"],
    "log_probs": [-0.31, -0.12, -0.95],
    "score": -1.82,
    "confidence": 0.81,
    "word_confidence": [None, 0.93, None],
    "kind": "photo",
    "keywords": [{"word": "dog", "probability": 0.97}, {"word": "grass", "probability": 0.64}],
    "attention": [[[0.1, 0.2], [0.3, 0.4]], [[0.0, 0.9], [0.1, 0.0]], [[0.25, 0.25], [0.25, 0.25]]],
    "alternatives": [{"caption": "a brown dog", "score": -2.4, "confidence": 0.74}],
}
_ERROR: dict[str, JsonValue] = {"code": "queue_full", "message": "too many requests; ask again"}
_UNREADABLE: dict[str, JsonValue] = {
    "photo": "notes.txt",
    "error": {"code": "unreadable", "message": "not a photo that is read here: AVIF, BMP, GIF, JPEG, PNG, TIFF, WEBP"},
}


class CaptionOptions(BaseModel):
    """How to caption; the same for all photos of a request."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    beam_size: int = Field(BEAM_SIZE, ge=1, description="Sentences kept at every word; 1 is greedy.")
    length_penalty: float = Field(LENGTH_PENALTY, allow_inf_nan=False, description="Rank by sum(log p) / length ** it.")
    attention: bool = Field(True, description="Whether to add, for every word, where the model looked.")
    evidence: bool = Field(False, description="Whether to add what each word rests on; takes several times as long.")


class Alternative(BaseModel):
    """Another sentence of the search."""

    caption: str
    score: float
    confidence: float | None = Field(None, ge=0, le=1, description="As the caption's, if the model has learned it.")


class Keyword(BaseModel):
    """A word that people would use about the photo."""

    word: str
    probability: float = Field(ge=0, le=1)


class PhotoCaption(BaseModel):
    """A photo's caption, as `sightline caption --json` prints it."""

    photo: str = Field(description="The file's name as it was sent.")
    caption: str
    words: list[str]
    log_probs: list[float] = Field(description="Natural logarithm of each word's probability given those before it.")
    score: float = Field(description="What the search ranks by: sum(log p) / length ** length_penalty.")
    attention: Maps | None = Field(None, description="If asked for: weights over the encoder's grid that sum to one.")
    evidence: Maps | None = Field(None, description="If asked for: log-odds lost without each cell of the grid.")
    confidence: float | None = Field(
        None, ge=0, le=1, description="Probability that people, too, name all things it names; if the model knows it."
    )
    word_confidence: list[float | None] | None = Field(
        None, description="The same for each noun alone, null for other words; if the model knows it."
    )
    kind: str | None = Field(None, description="'photo', or what it seems to be; if the model tells.")
    keywords: list[Keyword] | None = Field(None, description="The most probable first, ten at most; if there are any.")
    note: str | None = Field(None, description="What to know before trusting the caption, if anything.")
    alternatives: list[Alternative] = Field(description="The search's other sentences, best first.")


class Problem(BaseModel):
    """What was wrong: a code for programs, a sentence for people."""

    code: Code
    message: str


class PhotoProblem(BaseModel):
    """A photo that could not be captioned."""

    photo: str = Field(description="The file's name as it was sent.")
    error: Problem


class Captions(BaseModel):
    """One entry per photo, in the order they were sent."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"captions": [_PHOTO, _UNREADABLE]}]})

    captions: list[PhotoCaption | PhotoProblem]


class Refusal(BaseModel):
    """A request that was refused as a whole."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"error": _ERROR}]})

    error: Problem


class Health(BaseModel):
    """The state of the service."""

    status: Literal["alive", "ready", "stopping"]


def request_schema(limits: Limits) -> dict[str, JsonValue]:
    """The JSON schema of the multipart form: the photos and the options."""
    schema: dict[str, Any] = CaptionOptions.model_json_schema()
    schema["properties"]["beam_size"]["maximum"] = limits.beam_size
    photos = {
        "type": "array",
        "items": {"type": "string", "format": "binary"},
        "minItems": 1,
        "maxItems": limits.photos,
        "description": f"Image files, up to {limits.photo_bytes:,} bytes and {limits.pixels:,} pixels each.",
    }
    return {**schema, "properties": {"photos": photos, **schema["properties"]}, "required": ["photos"]}


_RETRY = {"Retry-After": {"description": "Seconds to wait before asking again.", "schema": {"type": "integer"}}}

# Status -> its description, for the operation at /v1/captions.
ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"description": "At least one photo was captioned; the others have their error in their place."},
    400: {"model": Refusal, "description": "The body is malformed."},
    408: {"model": Refusal, "description": "The body took too long to arrive."},
    413: {"model": Captions | Refusal, "description": "The request, or every photo of it, has too many bytes."},
    415: {"model": Refusal, "description": "The body is not a multipart form, or is compressed."},
    422: {"model": Captions | Refusal, "description": "No photo is usable, there is none, or an option is impossible."},
    429: {"model": Refusal, "description": "The queue is full.", "headers": _RETRY},
    500: {"model": Captions | Refusal, "description": "The service failed."},
    503: {"model": Refusal, "description": "The service is stopping.", "headers": _RETRY},
    504: {"model": Refusal, "description": "Not finished in time.", "headers": _RETRY},
}


def answer(results: list[Result]) -> tuple[int, str, dict[str, Any]]:
    """HTTP status, outcome for the metrics, and body of an answer to a request for captions.

    200 where at least one photo was captioned; otherwise 413 if all were too large, 500 if the service itself failed
    on one, and else 422. The body has the same shape every time.
    """
    codes = {result["error"]["code"] if "error" in result else None for result in results}
    body = {"captions": results}
    if None in codes:
        return 200, "captioned" if codes == {None} else "partly", body
    return 500 if "failed" in codes else 413 if codes == {"too_large"} else 422, "unusable", body
