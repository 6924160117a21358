# For a fresh machine with Python 3.11 or later: `make demo` captions photos; `make tutorial` trains; `make test` tests.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed
# The light tier alone, beside a package that brings photos along; none of what that package computes with.
DEMO := .venv-demo
DEMO_INSTALLED := $(DEMO)/installed
DOCS := .venv-docs
DOCS_INSTALLED := $(DOCS)/installed
# Processes of one thread each, more than two cores need, as tests also wait. The tests of one file stay together, for they
# share what is slow to make; files are taken in the order of tests/conftest.py, the longest first.
PROCESSES ?= 3
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(PROCESSES) --dist loadfile --no-loadscope-reorder
# Photos of what the model learned: a photographer, a motorcycle, a cat, a cup; and a rocket, which it never saw.
samples = $(addprefix $(1)/lib/python*/site-packages/skimage/data/,camera.png motorcycle_right.png chelsea.png coffee.png rocket.jpg)

.PHONY: demo tutorial docs test pytest check coverage lint wheel clean

$(DEMO_INSTALLED): pyproject.toml constraints.txt
	$(call environment,$(DEMO))
	$(DEMO)/bin/python -m pip install --quiet --constraint constraints.txt --editable .
	$(DEMO)/bin/python -m pip install --quiet --constraint constraints.txt --no-deps scikit-image
	touch $@

$(INSTALLED): pyproject.toml constraints.txt
	$(call environment,$(VENV))
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[train,timm,serve,dev]"
	touch $@

$(DOCS_INSTALLED): pyproject.toml constraints.txt
	$(call environment,$(DOCS))
	$(DOCS)/bin/python -m pip install --quiet --constraint constraints.txt --editable ".[docs]"
	touch $@

define environment
	$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'sightline needs Python 3.11 or later')"
	test -x $(1)/bin/python || $(PYTHON) -m venv $(1)
endef

demo: $(DEMO_INSTALLED)
	$(DEMO)/bin/sightline caption $(call samples,$(DEMO))
	$(DEMO)/bin/sightline explain $(call samples,$(DEMO)) --out demo
	@echo "The photographer and the motorcycle are right; of the cat and the cup a part is; the rocket is wrong, as it was not in the training photos."
	@echo "look at demo/index.html"

tutorial: $(INSTALLED)
	$(BIN)/sightline data shapes tutorial/shapes
	test -f tutorial/run/model.onnx || $(BIN)/sightline train --recipe recipes/shapes.yaml --data tutorial/shapes --out tutorial/run
	$(BIN)/sightline caption tutorial/shapes/Images/*8.png --model tutorial/run --length-penalty 0 | head -n 12
	$(BIN)/sightline explain tutorial/shapes/Images/shapes-00008.png tutorial/shapes/Images/shapes-00019.png --model tutorial/run --length-penalty 0 --out tutorial/explained
	@echo "look at tutorial/run/loss.png, tutorial/run/samples.png and tutorial/explained/index.html"

# The documentation as a web site. Installed once, it needs no network; Node.js's npm keeps what the page needs.
docs: $(DOCS_INSTALLED)
	$(DOCS)/bin/python -m tools.docs_site $(if $(REPOSITORY),--repository $(REPOSITORY))
	@echo "look at it: $(PYTHON) -m http.server --directory site/html"

# Everything, as continuous integration runs it, at once: while some wait for servers or downloads, others compute.
test: $(INSTALLED)
	$(MAKE) --no-print-directory --jobs 3 wheel lint pytest

# What is quick: without the wheel and the tests marked `slow`.
check: $(INSTALLED)
	$(MAKE) --no-print-directory --jobs 2 lint pytest QUICK=yes

pytest: $(INSTALLED)
	$(PYTEST) $(if $(QUICK),-m "not slow")

# As `test`, with the share of the package's lines that it runs.
coverage: $(INSTALLED)
	$(PYTEST) --cov=sightline --cov-report=term:skip-covered

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The wheel in an environment of its own, without torch.
wheel: $(INSTALLED)
	rm -rf build dist $(VENV)-wheel
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .
	$(PYTHON) -m venv $(VENV)-wheel
	$(VENV)-wheel/bin/python -m pip install --quiet --constraint constraints.txt dist/*.whl
	cd / && "$(CURDIR)/$(VENV)-wheel/bin/python" "$(CURDIR)/tests/wheel.py" "$(CURDIR)/dist" $(foreach photo,$(call samples,$(VENV)),"$(CURDIR)"/$(photo))

clean:
	rm -rf $(VENV) $(DEMO) $(DOCS) $(VENV)-wheel build dist demo site tutorial
