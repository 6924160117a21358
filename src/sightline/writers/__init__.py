"""Captions to where other programs read them: beside photos, in metadata, in lists; one file a form."""
