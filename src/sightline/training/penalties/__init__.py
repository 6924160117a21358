"""Faults that take from a sampled caption's reward, one file each; see `sightline.training.penalty`."""
