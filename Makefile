# `make run` and `make test` need python3 (3.11 or newer) with venv, Java 17 or newer, and Maven; the rest is fetched by setup.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
STAMP := .venv/lendlog.stamp

.PHONY: setup check test test-ops run generate clean

setup: $(STAMP)

$(STAMP): requirements.lock requirements-build.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP) install --no-deps --require-hashes -r requirements-build.lock
	$(PIP) install --no-deps --require-hashes -r requirements.lock
	$(PIP) install --no-deps --no-build-isolation -e .
	touch $(STAMP)

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -q tests/unit tests/property -m "not servers and not alone"

# Tests marked `alone` come last, see tests/conftest.py. ARGS="-k name" narrows. LENDLOG_BERKA: the folder of the
# Berka bank data, by default ../shared/data/berka.
test: setup
	$(BIN)/pytest --durations=15 -m "not ops" $(ARGS)

# Compose's processes, Prometheus, servers from Docker, a whole simulation: minutes, and more than one installation.
test-ops: setup
	$(BIN)/pytest --durations=5 -m ops $(ARGS)

run: setup
	@exec $(BIN)/lendlog run

generate: setup
	$(BIN)/python -m lendlog.generate
	$(BIN)/python -m lendlog.dashboard

# The data in .lendlog (or LENDLOG_HOME) stays.
clean:
	rm -rf .venv build dist .mypy_cache .ruff_cache .import_linter_cache .hypothesis
