"""The notebook that tries another attention is executed as it stands, but for how long it trains."""

from __future__ import annotations

import pytest

from .test_tour import execute, outputs_of, printed_by


@pytest.mark.slow
def test_another_attention_is_trained_exported_compared_and_shown():
    notebook = execute("research.ipynb", "PHOTOS, EPOCHS = 40, 1")
    said = printed_by(notebook)
    assert "the shortcut of DotProductGRU gives other numbers" in said and "the shortcut of GRUDecoder" not in said
    assert said.count("largest difference from torch") == 2 and said.count("nats\n") == 2
    assert "4 photos" in said and "95% interval" in said and said.count("evidence pointing") == 2
    framed = [output["data"] for output in outputs_of(notebook) if "text/html" in output.get("data", {})]
    assert len(framed) == 2 and all("<iframe" in data["text/html"] for data in framed)
