"""The captioner as torch modules: attention, encoders, decoders, search. Parts register themselves by name."""
