"""Regions, bounding boxes of the phrases of captions: one source a file, tried in the order of their ranks."""
