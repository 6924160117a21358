"""Torch model -> model.onnx: its graph, its precision, its shared weights, and the proof that both say the same."""

from sightline.errors import require_training_tier

require_training_tier(__name__)
