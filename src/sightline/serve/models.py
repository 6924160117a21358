"""What goes in and comes out, as the description at /openapi.json tells it."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from sightline.decoding import BEAM_SIZE, LENGTH_PENALTY
from sightline.serve.limits import Limits

Code: TypeAlias = Literal[
    "empty",
    "unreadable",
    "too_large",
    "too_many_pixels",
    "no_photos",
    "too_many_photos",
    "bad_option",
    "malformed",
    "not_multipart",
    "queue_full",
    "stopping",
    "too_slow",
    "timeout",
    "not_found",
    "method_not_allowed",
    "failed",
]

PHOTO: dict[str, JsonValue] = {
    "photo": "dog.jpg",
    "caption": "a dog runs",
    "words": ["a", "dog", "runs"],
    "log_probs": [-0.31, -0.12, -0.95],
    "score": -1.82,
    "attention": [[[0.1, 0.2], [0.3, 0.4]], [[0.0, 0.9], [0.1, 0.0]], [[0.25, 0.25], [0.25, 0.25]]],
    "alternatives": [{"caption": "a brown dog", "score": -2.4}],
}
UNREADABLE: dict[str, JsonValue] = {
    "photo": "notes.txt",
    "error": {"code": "unreadable", "message": "not a photo that is read here: AVIF, BMP, GIF, JPEG, PNG, TIFF, WEBP"},
}


class CaptionOptions(BaseModel):
    """How to caption; the same for all photos of a request."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    beam_size: int = Field(BEAM_SIZE, ge=1, description="Sentences kept at every word; 1 is greedy.")
    length_penalty: float = Field(
        LENGTH_PENALTY, allow_inf_nan=False, description="Rank by sum(log p) / length ** this."
    )
    attention: bool = Field(True, description="Whether to tell, for every word, where the model looked.")
    evidence: bool = Field(
        False, description="Whether to find out what each word rests on, which takes some times as long."
    )


class Alternative(BaseModel):
    """Another sentence of the search."""

    caption: str
    score: float


class PhotoCaption(BaseModel):
    """A photo's caption, as `sightline caption --json` prints it."""

    model_config = ConfigDict(json_schema_extra={"examples": [PHOTO]})

    photo: str = Field(description="The file's name as it was sent.")
    caption: str
    words: list[str]
    log_probs: list[float] = Field(
        description="Natural logarithm of each word's probability given the words before it."
    )
    score: float = Field(description="What the search ranks by: sum(log p) / length ** length_penalty.")
    attention: list[list[list[float]]] | None = Field(
        None, description="For every word, weights over the encoder's grid, row by row; they sum to one. If asked for."
    )
    evidence: list[list[list[float]]] | None = Field(
        None, description="For every word, the log-odds it loses without each cell of the grid. If asked for."
    )
    note: str | None = Field(None, description="What to know before trusting it, where there is something.")
    alternatives: list[Alternative] = Field(description="The search's other sentences, best first.")


class Problem(BaseModel):
    """What was wrong: a code for programs, a sentence for people."""

    code: Code
    message: str


class PhotoProblem(BaseModel):
    """A photo that could not be captioned."""

    model_config = ConfigDict(json_schema_extra={"examples": [UNREADABLE]})

    photo: str = Field(description="The file's name as it was sent.")
    error: Problem


class Captions(BaseModel):
    """One entry a photo, in the order they were sent."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"captions": [PHOTO, UNREADABLE]}]})

    captions: list[PhotoCaption | PhotoProblem]


class Refusal(BaseModel):
    """A request that was refused as a whole."""

    error: Problem


class Health(BaseModel):
    """How the service is."""

    status: Literal["alive", "ready", "stopping"]


def request_schema(limits: Limits) -> dict[str, JsonValue]:
    """The JSON schema of the multipart form: the photos, and beside them the options."""
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
