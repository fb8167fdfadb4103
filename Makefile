# Two commands do it: make demo, make test. Both set up their own virtual environment first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
DB ?= hubstats.duckdb
REPORT ?= hubstats-report.html

TORCH ?= torch==2.13.0

.PHONY: help setup setup-dev setup-bench demo test torture audit fixture lint docs lock snapshot bench-crawl bench-estimates bench-coverage clean

help:
	@echo "make setup        a working $(BIN)/hubstats, from hashed requirements"
	@echo "make setup-bench  the same with torch and peft, for the bench and its tests"
	@echo "make demo         set up, read the embedded snapshot into $(DB), write $(REPORT), say what it found"
	@echo "make test         set up and run all tests"
	@echo "make torture      failing servers, killed processes, hostile input, secrets: half an hour, one table"
	@echo "make audit        known vulnerabilities in the locked requirements, licences of what is installed"
	@echo "make lint         lint, format, types, import directions, generated docs"
	@echo "make docs         write the generated parts of README.md anew"
	@echo "make bench-crawl  how fast a crawl is, as ratios to a bare loop"
	@echo "make bench-estimates  how fast estimates and questions are on 3 million repositories, as ratios to a bare count"
	@echo "make bench-coverage  whether the intervals hold the truth, and what the design is worth, by simulation"
	@echo "make fixture      the file as this version writes it, for the tests of later versions"
	@echo "make lock         resolve the requirements anew (needs uv)"
	@echo "make snapshot     rebuild the embedded snapshot from public repositories (MIRRORS=folder, or it clones)"

setup: $(VENV)/.setup
setup-dev: $(VENV)/.setup-dev
setup-bench: $(VENV)/.setup-bench

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

# torch comes by version, not by hash: its builds (CPU, CUDA) differ from index to index.
$(VENV)/.setup-bench: $(VENV)/.setup-dev requirements/bench.txt
	$(PIP) $(TORCH)
	$(PIP) --require-hashes --no-deps -r requirements/bench.txt
	@touch $@

demo: setup
	$(BIN)/hubstats crawl snapshot --db $(DB)
	$(BIN)/hubstats report --db $(DB) --out $(REPORT)

test: setup-dev
	$(BIN)/python -m pytest

# PLANS=faults for one of them, ONLY=github for some of its cases; SEED=1 for other faults and other moments.
torture: setup-dev
	$(BIN)/python -m tests.torture $(PLANS) --seed $(or $(SEED),0) $(if $(ONLY),--only "$(ONLY)")

# Its tools have an environment of their own, so that what is looked at is what is used. STRICT=--strict: fail when the
# service of vulnerabilities does not answer.
audit: setup-dev .venv-audit/.setup
	.venv-audit/bin/python scripts/audit.py $(STRICT)

.venv-audit/.setup: requirements/audit.txt
	$(PYTHON) -m venv .venv-audit
	.venv-audit/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/audit.txt
	@touch $@

# The file as this version writes it, for the tests of later ones. Before a release it is made anew with every change of
# the schema; of a released version never again.
fixture: setup-dev
	$(BIN)/python -m scripts.schema_fixture

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
	uv pip compile pyproject.toml --extra bench --extra dev --universal --python-version 3.11 --generate-hashes --no-header -q --override requirements/bench.override.txt -c requirements/dev.txt -o requirements/bench.txt
	uv pip compile requirements/audit.in --universal --python-version 3.11 --generate-hashes --no-header -q -o requirements/audit.txt

snapshot: setup-dev
	$(BIN)/python scripts/build_snapshot.py $(if $(MIRRORS),--mirrors $(MIRRORS))

bench-crawl: setup-dev
	$(BIN)/python -m benchmarks.crawl

bench-estimates: setup-dev
	$(BIN)/python -m benchmarks.estimates

bench-coverage: setup-dev
	$(BIN)/python -m benchmarks.coverage

clean:
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache
