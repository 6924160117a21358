# Two commands for a fresh machine with Python 3.11 or later: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed

.PHONY: demo test clean

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'sightline needs Python 3.11 or later')"
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[train,dev]"
	touch $(INSTALLED)

demo: $(INSTALLED)
	$(BIN)/sightline data shapes demo/shapes
	test -f demo/run/model.safetensors || $(BIN)/sightline train --recipe recipes/shapes.yaml --data demo/shapes --out demo/run
	$(BIN)/sightline caption demo/shapes/Images/*8.png --model demo/run | head -n 12
	$(BIN)/sightline explain demo/shapes/Images/shapes-00008.png demo/shapes/Images/shapes-00019.png --model demo/run --out demo/explained
	@echo "look at demo/run/loss.png, demo/run/samples.png and demo/explained/index.html"

test: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest

clean:
	rm -rf $(VENV) demo
