"""Captioned datasets: layouts, splits, boxes, checks, and data larger than memory."""
