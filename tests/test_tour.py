"""The notebook is executed as it stands, but for how long it trains; no library prints anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


def execute(name: str, parameters: str) -> Any:
    """A notebook of examples/ that was executed there, with other ``parameters``; it is kept without outputs."""
    nbformat = pytest.importorskip("nbformat", reason="needs nbformat")
    nbclient = pytest.importorskip("nbclient", reason="needs nbclient and ipykernel")
    pytest.importorskip("torch", reason="needs the training tier")
    notebook = nbformat.read(EXAMPLES / name, as_version=4)
    assert not [cell for cell in notebook.cells if cell.get("outputs")]
    (cell,) = (cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", ()))
    cell.source = parameters
    nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(EXAMPLES)}}).execute()
    outputs = outputs_of(notebook)
    assert not [output["text"] for output in outputs if output.get("name") == "stderr"]
    return notebook


def outputs_of(notebook: Any) -> list[Any]:
    return [output for cell in notebook.cells for output in cell.get("outputs", ())]


def printed_by(notebook: Any) -> str:
    return "".join(output.get("text", "") for output in outputs_of(notebook))


@pytest.mark.slow
def test_the_tour_runs_to_its_end_and_shows_captions():
    tour = execute("tour.ipynb", "PHOTOS, EPOCHS = 20, 1")
    shown = [output.get("data", {}) for output in outputs_of(tour)]
    framed = [data for data in shown if "text/html" in data]
    assert len(framed) == 3 and all("<iframe" in data["text/html"] for data in framed)
    assert len([data for data in shown if "image/png" in data]) == 1
    trained = next(cell for cell in tour.cells if "train(recipe" in cell.source)
    lines = [line for output in trained.outputs for line in output["text"].splitlines()]
    assert [line.split(maxsplit=1)[0] for line in lines] == ["16", "model.onnx:"]
    said = printed_by(tour)
    assert "dog is running" in said and "error: " in said and "broken.png: not an image" in said
