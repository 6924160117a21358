"""Captions by the million: one machine into a file that resumes, or any engine that maps a callable over batches."""

from sightline.bulk.batches import CaptionBatches
from sightline.bulk.pipeline import Written, caption_photos

__all__ = ["CaptionBatches", "Written", "caption_photos"]
