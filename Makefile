# Two commands do it: make demo, make test. Both set up their own virtual environment first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
DB ?= hubstats.duckdb
REPORT ?= hubstats-report.html

.PHONY: help setup setup-dev demo test lint docs lock snapshot bench-crawl clean

help:
	@echo "make setup        a working $(BIN)/hubstats, from hashed requirements"
	@echo "make demo         set up, read the embedded snapshot into $(DB), write $(REPORT), say what it found"
	@echo "make test         set up and run all tests"
	@echo "make lint         lint, format, types, import directions, generated docs"
	@echo "make docs         write the generated parts of README.md anew"
	@echo "make bench-crawl  how fast a crawl is, as ratios to a bare loop"
	@echo "make lock         resolve the requirements anew (needs uv)"
	@echo "make snapshot     rebuild the embedded snapshot from public repositories (MIRRORS=folder, or it clones)"

setup: $(VENV)/.setup
setup-dev: $(VENV)/.setup-dev

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "hubstats needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V). Say make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.setup: $(BIN)/python requirements/build.txt requirements/run.txt pyproject.toml
	$(PIP) --require-hashes -r requirements/build.txt
	$(PIP) --require-hashes -r requirements/run.txt
	$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.setup-dev: $(VENV)/.setup requirements/dev.txt
	$(PIP) --require-hashes -r requirements/dev.txt
	@touch $@

demo: setup
	$(BIN)/hubstats crawl snapshot --db $(DB)
	$(BIN)/hubstats report --db $(DB) --out $(REPORT)

test: setup-dev
	$(BIN)/python -m pytest

lint: setup-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest tests/test_layers.py tests/test_docs.py
	$(BIN)/cog --check README.md

docs: setup-dev
	$(BIN)/cog -r README.md

lock:
	uv pip compile requirements/build.in --universal --python-version 3.11 --generate-hashes --no-header -q -o requirements/build.txt
	uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-header -q -o requirements/run.txt
	uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes --no-header -q -o requirements/dev.txt

snapshot: setup-dev
	$(BIN)/python scripts/build_snapshot.py $(if $(MIRRORS),--mirrors $(MIRRORS))

bench-crawl: setup-dev
	$(BIN)/python -m benchmarks.crawl

clean:
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache
