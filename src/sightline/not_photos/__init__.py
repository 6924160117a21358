"""Pictures that are no photos, drawn: pages, screenshots, charts and others, from which a model learns to tell them."""

from sightline.not_photos.draw import KINDS, contact_sheet, draw

__all__ = ["KINDS", "contact_sheet", "draw"]
