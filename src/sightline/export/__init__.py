"""Torch model -> model.onnx: its graph, its precision, its shared weights, and the proof that both say the same."""
