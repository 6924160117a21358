"""The layouts of captioned datasets, one file each."""
