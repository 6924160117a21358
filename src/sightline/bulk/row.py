"""One photo, one row: the same columns from every engine and in every file."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, TypeAlias

from sightline.caption import Caption
from sightline.errors import SightlineError
from sightline.model_folder import ONNX

if TYPE_CHECKING:
    import pyarrow

    from sightline.captioner import Captioner

Row: TypeAlias = dict[str, Any]

COLUMNS = ("photo", "caption", "words", "log_probs", "score", "error")


def caption_row(photo: str, result: Caption | SightlineError) -> Row:
    """The row of a photo that was captioned, whose ``error`` is None, or that could not be, which has nothing else."""
    if isinstance(result, SightlineError):
        return dict(zip(COLUMNS, (photo, None, [], [], None, str(result)), strict=True))
    log_probs = [round(float(value), 6) for value in result.log_probs]
    values = (photo, result.text, list(result.words), log_probs, round(result.score, 6), None)
    return dict(zip(COLUMNS, values, strict=True))


def made_by(captioner: Captioner, beam_size: int, length_penalty: float) -> str:
    """What a row's words depend on beside the photo, in a few words; other rows of a table must be made by the same."""
    digest = hashlib.sha256((captioner.folder / ONNX).read_bytes()).hexdigest()[:12]
    return f"model {digest}, beam {beam_size}, length penalty {length_penalty:g}"


def arrow_schema() -> pyarrow.Schema:
    """The columns' types: without them, a file whose photos were all captioned would hold errors of no type."""
    import pyarrow as pa

    kinds = (pa.string(), pa.string(), pa.list_(pa.string()), pa.list_(pa.float32()), pa.float64(), pa.string())
    return pa.schema(list(zip(COLUMNS, kinds, strict=True)))


def as_text(name: str) -> str:
    """A file's name as Unicode, which Arrow demands: bytes that are no text are shown by their numbers."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
