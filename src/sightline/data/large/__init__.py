"""Data larger than memory: packed examples, WebDataset shards, their index."""
