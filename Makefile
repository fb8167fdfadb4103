# Two commands do it: make demo, make test. Both set up their own virtual environment first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
DB ?= hubstats.duckdb
REPORT ?= hubstats-report.html

TORCH ?= torch==2.13.0

.PHONY: help setup setup-dev setup-bench setup-cluster demo example test torture audit fixture lint docs lock snapshot \
	bench-crawl bench-dump bench-code bench-store bench-estimates bench-report bench-coverage bench-runner gpu clean

help:
	@echo "make setup        a working $(BIN)/hubstats, from hashed requirements"
	@echo "make setup-bench  the same with torch and peft, for the bench and its tests"
	@echo "make setup-cluster  the same with ray, for --engine ray and its tests"
	@echo "make demo         set up, read the embedded snapshot into $(DB), write $(REPORT), say what it found"
	@echo "make example      write reports/example anew: the demo's page, its numbers as CSV, a picture"
	@echo "make test         set up and run all tests"
	@echo "make torture      failing servers, killed processes, hostile input, secrets: an hour, one table"
	@echo "make audit        known vulnerabilities in the locked requirements, licences of what is installed"
	@echo "make lint         lint, format, types, import directions, generated docs"
	@echo "make docs         write the generated parts of README.md anew"
	@echo "make bench-crawl  how fast a crawl is, as ratios to a bare loop"
	@echo "make bench-code   how fast code is read from folders, git and Parquet, as ratios to parsing every file"
	@echo "make bench-dump   how fast a bulk dump goes into the file, as ratios to a bare scan"
	@echo "make bench-store  how fast rows go into the file, and what a change costs there, as ratios to a bare INSERT"
	@echo "make bench-estimates  how fast estimates and questions are on 3 million repositories, as ratios to a bare count"
	@echo "make bench-report  how fast the report of 3 million repositories is made and opened, as ratios to the snapshot's"
	@echo "make bench-coverage  whether the intervals hold the truth, and what the design is worth, by simulation"
	@echo "make bench-runner PUBLISHED=peft  a run of the bench beside the published runner's own code, as ratios"
	@echo "make gpu PUBLISHED=peft DATA=gsm8k MODEL=file.gguf  all that needs a GPU, in fifteen minutes of one; DRY=1 on a CPU"
	@echo "make fixture      the file as this version writes it, for the tests of later versions"
	@echo "make lock         resolve the requirements anew (needs uv)"
	@echo "make snapshot     rebuild the embedded snapshot from public repositories (MIRRORS=folder, or it clones)"

setup: $(VENV)/.setup
setup-dev: $(VENV)/.setup-dev
setup-bench: $(VENV)/.setup-bench
setup-cluster: $(VENV)/.setup-cluster

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

$(VENV)/.setup-cluster: $(VENV)/.setup-dev requirements/cluster.txt
	$(PIP) --require-hashes -r requirements/cluster.txt
	@touch $@

demo: setup
	$(BIN)/hubstats crawl snapshot --db $(DB)
	$(BIN)/hubstats report --db $(DB) --out $(REPORT)

# The published example: the page of the snapshot with the numbers behind each chart, and a picture of the first.
example: setup-dev
	rm -rf build/example && mkdir -p build/example
	$(BIN)/hubstats crawl snapshot --db build/example/hubstats.duckdb
	find reports/example -name '*.csv' -delete
	$(BIN)/hubstats report --db build/example/hubstats.duckdb --out reports/example/report.html
	$(BIN)/hubstats report --db build/example/hubstats.duckdb --format csv --out reports/example
	$(BIN)/hubstats report --db build/example/hubstats.duckdb --format png --out build/example/pictures
	cp build/example/pictures/popularity.png reports/example/popularity.png

# JOBS=0 for all in one process.
test: setup-dev
	$(BIN)/python -m pytest -n $(or $(JOBS),auto) --dist loadfile

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
	uv pip compile pyproject.toml --extra cluster --extra dev --universal --python-version 3.11 --generate-hashes --no-header -q -c requirements/dev.txt -o requirements/cluster.txt
	uv pip compile requirements/audit.in --universal --python-version 3.11 --generate-hashes --no-header -q -o requirements/audit.txt

snapshot: setup-dev
	$(BIN)/python scripts/build_snapshot.py $(if $(MIRRORS),--mirrors $(MIRRORS))

bench-crawl: setup-dev
	$(BIN)/python -m benchmarks.crawl

bench-code: setup-dev
	$(BIN)/python -m benchmarks.code

bench-dump: setup-dev
	$(BIN)/python -m benchmarks.dump

bench-store: setup-dev
	$(BIN)/python -m benchmarks.store

bench-estimates: setup-dev
	$(BIN)/python -m benchmarks.estimates

bench-report: setup-dev
	$(BIN)/python -m benchmarks.report

bench-coverage: setup-dev
	$(BIN)/python -m benchmarks.coverage

# PUBLISHED is a checkout of huggingface/peft; DATA a folder with GSM8K's train.jsonl and test.jsonl.
bench-runner: setup-bench
	$(BIN)/python -m benchmarks.bench_runner --published-runner $(PUBLISHED) $(if $(DATA),--data $(DATA))

gpu: setup-bench
	$(BIN)/python -m benchmarks.gpu_session $(if $(DRY),--dry) --out gpu-session --data $(DATA) \
		$(if $(MODEL),--model $(MODEL)) $(if $(PUBLISHED),--published-runner $(PUBLISHED)) $(if $(PLAN),--plan $(PLAN))

clean:
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache
