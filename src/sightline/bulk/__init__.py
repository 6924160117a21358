"""Captions by the million: one machine into a file that resumes, or any engine that maps a callable over batches."""

from sightline.bulk.batches import CaptionBatches
from sightline.bulk.pipeline import Written, caption_photos
from sightline.bulk.rows import arrow_schema

__all__ = ["CaptionBatches", "Written", "arrow_schema", "caption_photos"]
