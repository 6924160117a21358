"""Models to and from the Hugging Face Hub; nothing here is loaded until a model's name begins with ``hf://``."""
