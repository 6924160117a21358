"""The captioner as torch modules: attention, encoders, decoders, and the search."""
