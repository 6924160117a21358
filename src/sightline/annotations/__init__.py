"""Caption files of every form, and matching the photos they name."""
