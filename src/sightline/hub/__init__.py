"""Models to and from the Hugging Face Hub; loaded only for a model name that begins with ``hf://``."""
