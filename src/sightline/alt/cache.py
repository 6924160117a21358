"""What is known of photos by their content, kept in the user's cache folder, so that a second run computes nothing."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from sightline.errors import SightlineError
from sightline.model_folder import cache_folder, replacing


@dataclass(frozen=True)
class Known:
    """What is known of a photo.

    Attributes:
        kind: as `sightline.alt.picture.kind_of` has it.
        text: an alt text, of photos alone.
        confidence: how sure the model is of the text, 0 to 1, see `Caption.sureness`.
        is_learned: whether the model has learned to tell that, as a `Caption.confidence`.
    """

    kind: str
    text: str = ""
    confidence: float = 0.0
    is_learned: bool = False


class Cache(dict[str, Known]):
    """SHA-256 of a photo's bytes -> what is known of it. One file for each ``maker``, all that a text depends on.

    A damaged file is one without entries. Two runs at once lose some, which are computed again.
    """

    def __init__(self, maker: str) -> None:
        super().__init__()
        self.path: Path = cache_folder("alt") / f"{maker}.json"
        try:
            entries = json.loads(self.path.read_bytes())
            for photo, (kind, text, confidence, is_learned) in entries.items():
                self[str(photo)] = Known(str(kind), str(text), float(confidence), bool(is_learned))
        except (OSError, ValueError, TypeError, AttributeError, RecursionError):
            self.clear()
        self._known = len(self)

    def save(self) -> str:
        """Write it if there is something new; returns why that was not possible, or ``""``."""
        if len(self) == self._known:
            return ""
        entries = {
            photo: (known.kind, known.text, round(known.confidence, 6), known.is_learned)
            for photo, known in self.items()
        }
        try:
            with replacing(self.path) as temporary:
                temporary.write_text(json.dumps(entries, indent=0), encoding="utf-8")
        except SightlineError as error:
            return str(error)
        self._known = len(self)
        return ""
