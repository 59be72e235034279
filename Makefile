# The commands of the project. They need Python 3.11 or later, and make.

PYTHON ?= python3
BIN := .venv/bin
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
# Packages are checked against the hashes of the lock. uv installs them; where it cannot (no wheel of
# it for this machine, or a mirror that only pip knows), pip does.
PIP := $(BIN)/python -m pip install --disable-pip-version-check
INSTALL = $(BIN)/uv pip install --python $(BIN)/python $(1) || $(PIP) $(1)
LOCK = uv pip compile pyproject.toml - --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header --no-annotate --quiet

# A test's processes import much, and would compile all of it anew where nothing may be written.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: setup run quick test test-failed check docs bench worlds unit lock dist sbom image release-notes

# What `make run` needs.
setup: .venv/.run

.venv/.run: requirements.lock requirements-uv.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "ampgate needs Python 3.11 or later, as in: make $(or $(MAKECMDGOALS),setup) PYTHON=python3.12" >&2; \
	  exit 1; }
	@echo "setup: installing what ampgate needs into .venv (about 350 MB)"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(PIP) --quiet --require-hashes --only-binary :all: -r requirements-uv.lock || \
	  echo "setup: no uv for this machine, pip installs"
	@$(call INSTALL,--require-hashes -r requirements.lock)
	@$(call INSTALL,--no-deps --no-build-isolation -e .)
	@touch $@

# What the other targets need as well: test runner, linters, official SDKs, a Node.js.
.venv/.test: .venv/.run requirements-test.lock
	@echo "setup: installing what the tests need into .venv (about 800 MB more)"
	@$(call INSTALL,--require-hashes -r requirements-test.lock)
	@touch $@

run: setup
	$(BIN)/ampgate dev

# What to run while working: about a minute on two cores. Property tests try 30 examples instead of
# 100, and tests that take seconds are left out.
quick: .venv/.test
	@$(MAKE) --no-print-directory --jobs=3 unit check worlds

unit: .venv/.test
	$(BIN)/python -m pytest -q --numprocesses=4 --dist=worksteal --hypothesis-profile=quick -m 'not long' tests/unit

worlds: .venv/.test
	$(BIN)/python -m tests.simulation --worlds 50 --jobs 1

# Most tests wait: on two cores three processes take turns on the files, each with its own Kafka.
test: .venv/.test .venv/kafka.aot
	$(BIN)/python -m pytest --numprocesses=3 --dist=loadfile --no-loadscope-reorder

# Those that failed in the last run, one by one. None is an error: then the run itself broke.
test-failed: .venv/.test
	$(BIN)/python -m pytest --last-failed --last-failed-no-failures=none

# What a Java keeps of its first start: the next ones of Kafka take half the time.
.venv/kafka.aot: .venv/.test
	$(BIN)/python -m tests.kafka_start $@

check: .venv/.test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The documentation site, in site/. A link to nothing is an error.
docs: .venv/.test
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo 'Open site/index.html, or serve it: python3 -m http.server -d site'

bench: .venv/.test
	$(BIN)/python -m benchmarks --rows '$(ROWS)' $(if $(AGAINST),--against '$(AGAINST)')

# Anew after a change of the dependencies in pyproject.toml: what is in a lock keeps its version.
# setuptools is in each, as the project itself is installed with it, without a download.
lock: .venv/.run
	echo 'setuptools>=77' | $(BIN)/$(LOCK) --extra embedded --extra aws --extra dev -o requirements-test.lock >/dev/null
	echo 'setuptools>=77' | $(BIN)/$(LOCK) --extra embedded -c requirements-test.lock -o requirements.lock >/dev/null
	echo 'setuptools>=77' | $(BIN)/$(LOCK) --extra aws -c requirements-test.lock -o deploy/requirements.lock >/dev/null

# A release. Its version is in pyproject.toml alone; `tests/deploy/test_releases.py` says where else it is.
dist: .venv/.test
	$(BIN)/uv build --quiet --no-build-isolation --python $(BIN)/python --out-dir dist

# What is in the image, as CycloneDX: packages with versions, licenses, and what needs what.
sbom: .venv/.test
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python build/sbom
	$(BIN)/uv pip install --quiet --python build/sbom/bin/python --require-hashes -r deploy/requirements.lock
	$(BIN)/uv pip uninstall --quiet --python build/sbom/bin/python setuptools
	mkdir -p dist
	$(BIN)/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible \
	  --output-file dist/ampgate-$(VERSION).cdx.json build/sbom/bin/python

# IMAGE=ghcr.io/you/ampgate PLATFORMS=linux/amd64,linux/arm64 PUSH=1: for two architectures, to a registry.
IMAGE ?= ampgate
image:
	docker buildx build --file deploy/Dockerfile --tag $(IMAGE):$(VERSION) \
	  --build-arg VERSION=$(VERSION) --build-arg REVISION=$(shell git rev-parse HEAD) \
	  $(if $(PLATFORMS),--platform $(PLATFORMS)) $(if $(PUSH),--push --sbom=true --provenance=mode=max,--load) .

# What CHANGELOG.md says of this version.
release-notes:
	@awk '/^## / {on = ($$2 == "$(VERSION)"); next} on' CHANGELOG.md
