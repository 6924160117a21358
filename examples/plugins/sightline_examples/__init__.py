"""A part of each kind for Sightline, a file each. Copy the one you need: it also works alone, by `--plugin FILE`."""
