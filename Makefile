# The commands of the project. They need Python 3.11 or later, and make.

PYTHON ?= python3
BIN := .venv/bin

.PHONY: setup run quick test check bench worlds unit-gateway unit-consumers unit-others

setup: .venv/.ready

# Anew when the lock changes; the packages in it are checked against their hashes.
.venv/.ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "ampgate needs Python 3.11 or later, as in: make $(or $(MAKECMDGOALS),setup) PYTHON=python3.12" >&2; \
	  exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation -e .
	@touch $@

run: setup
	$(BIN)/ampgate dev

# What to run while working: under a minute on two cores. The longest go first;
# property tests try 30 examples instead of 100.
quick: setup
	@$(MAKE) --no-print-directory --jobs=2 unit-consumers unit-gateway unit-others check worlds

unit-gateway unit-consumers: unit-%: setup
	$(BIN)/python -m pytest -q --hypothesis-profile=quick tests/unit/$*

unit-others: setup
	$(BIN)/python -m pytest -q --hypothesis-profile=quick tests/unit --ignore=tests/unit/gateway --ignore=tests/unit/consumers

worlds: setup
	$(BIN)/python -m tests.simulation --worlds 50 --jobs 1

# Most tests wait: two processes take turns on the files, each with a Kafka of its own.
test: setup
	$(BIN)/python -m pytest --numprocesses=2 --dist=loadfile --no-loadscope-reorder

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup
	$(BIN)/python -m benchmarks
