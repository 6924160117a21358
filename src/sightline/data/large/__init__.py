"""Data larger than memory: packed examples, the index of shards, writing shards."""
