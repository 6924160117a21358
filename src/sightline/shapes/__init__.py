"""A dataset of drawn shapes whose captions are true by construction."""
