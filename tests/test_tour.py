"""The notebook is executed as it stands, but for how long it trains; no library prints anything."""

from __future__ import annotations

from pathlib import Path

import pytest

TOUR = Path(__file__).parents[1] / "examples" / "tour.ipynb"


@pytest.mark.slow
def test_the_tour_runs_to_its_end_and_shows_captions():
    nbformat = pytest.importorskip("nbformat", reason="needs nbformat")
    nbclient = pytest.importorskip("nbclient", reason="needs nbclient and ipykernel")
    pytest.importorskip("torch", reason="its last part needs the training tier")
    tour = nbformat.read(TOUR, as_version=4)
    assert not [cell for cell in tour.cells if cell.get("outputs")], "it is kept without outputs"
    (parameters,) = (cell for cell in tour.cells if "parameters" in cell.metadata.get("tags", ()))
    parameters.source = "PHOTOS, EPOCHS = 20, 1"
    nbclient.NotebookClient(tour, timeout=120, resources={"metadata": {"path": str(TOUR.parent)}}).execute()
    outputs = [output for cell in tour.cells for output in cell.get("outputs", ())]
    shown = [output.get("data", {}) for output in outputs]
    framed = [data for data in shown if "text/html" in data]
    assert len(framed) == 3 and all("<iframe" in data["text/html"] for data in framed)
    assert len([data for data in shown if "image/png" in data]) == 1
    assert not [
        output["text"] for cell in tour.cells for output in cell.get("outputs", ()) if output.get("name") == "stderr"
    ]
    trained = next(cell for cell in tour.cells if "train(recipe" in cell.source)
    lines = [line for output in trained.outputs for line in output["text"].splitlines()]
    assert [line.split(maxsplit=1)[0] for line in lines] == ["16", "model.onnx:"]
    said = "".join(output.get("text", "") for output in outputs)
    assert "dog is running" in said and "error: " in said and "broken.png: not an image" in said
