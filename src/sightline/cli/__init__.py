"""The command line: one file a verb, joined by `main`."""
