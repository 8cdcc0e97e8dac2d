# `make demo` and `make test` do all the set-up that they need in .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test weights lint format gui-libraries clean

demo: $(VENV)/installed
	$(BIN)/python examples/restore_a_jpeg.py --output demo

test: $(VENV)/installed lint gui-libraries
	$(BIN)/python -m pytest

# make weights DATA=pictures: what tools/weights_sources.toml lists, in natural/, microscopy/ and medical/.
# FEATURES=file adds general-perceptual, which learns from a classifier's features.
weights: $(VENV)/installed
	@test -n "$(DATA)" || { echo "Name the folder of training pictures: make weights DATA=pictures"; exit 2; }
	$(BIN)/python tools/make_weights.py train "$(DATA)" weights --recipes general general-fast microscopy medical
	$(if $(FEATURES),$(BIN)/python tools/make_weights.py train "$(DATA)" weights --recipes general-perceptual --features "$(FEATURES)")
	$(BIN)/python tools/make_weights.py head "$(DATA)" weights

lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

gui-libraries: $(VENV)/installed
	sh tools/gui_libraries.sh $(BIN)/python

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; name one with make PYTHON=python3.12" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable . --group dev
	touch $@

clean:
	rm -rf $(VENV) demo build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
