"""A request, or one photo of it, that the service does not take."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sightline.serve.models import Code


class Refused(Exception):
    """Says why, in a code and a sentence, and with which HTTP status a whole request is answered."""

    def __init__(self, status: int, code: Code, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.headers = status, code, message, dict(headers or {})

    def as_dict(self) -> dict[str, object]:
        """The body of the answer, or what stands in a photo's place."""
        return {"error": {"code": self.code, "message": self.message}}
