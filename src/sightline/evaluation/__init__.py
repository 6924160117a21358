"""Captions of a split, scored: the protocol guard, the scores, the report and its page."""
