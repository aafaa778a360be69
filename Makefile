# Two commands: `make serve` opens NeuronScope on a demo model, `make test` runs everything that proves it.
# Both make .venv first and do nothing twice. Another Python: make serve PYTHON=python3.12

PYTHON ?= python3
VENV ?= .venv
HOST ?= 127.0.0.1
PORT ?= 8050
PROCESSES ?= 2

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check
PINS := pyproject.toml constraints.txt

.PHONY: serve test clean

serve: $(VENV)/serve.stamp
	$(BIN)/neuronscope serve demo:stories --host $(HOST) --port $(PORT)

test: $(VENV)/test.stamp
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -n $(PROCESSES) --dist loadfile --ignore tests/browser
	$(BIN)/pytest tests/browser

$(VENV)/python.stamp:
	@$(PYTHON) -c 'import sys; ok = sys.version_info >= (3, 11); ok or sys.stderr.write("NeuronScope needs Python 3.11 or newer, and $(PYTHON) is %d.%d. Name another: make PYTHON=python3.12\n" % sys.version_info[:2]); sys.exit(not ok)'
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/serve.stamp: $(VENV)/python.stamp $(PINS)
	$(PIP) --editable . --constraint constraints.txt
	@touch $@

$(VENV)/test.stamp: $(VENV)/serve.stamp
	$(PIP) --editable '.[test]' --constraint constraints.txt
	@touch $@

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .import_linter_cache
