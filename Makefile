# Everything here needs Python 3.11 or newer and nothing else. `make run` installs the runtime lock only.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help run test check lint fix cover dist soak clients bench bench-peers lock prices clean

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/pip --disable-pip-version-check -qq
RUNTIME := .venv/.runtime
DEV := .venv/.dev
ARGS ?=

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(RUNTIME)  ## start the gateway on 127.0.0.1:8080 (ARGS="--port 9000")
	exec $(BIN)/python -m gateway $(ARGS)

test: $(DEV) browser  ## run all tests
	$(BIN)/python -m pytest -q $(ARGS)

check: lint test  ## what must pass before a commit

lint: $(DEV)  ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

fix: $(DEV)  ## mend what can be mended without thinking
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

cover: $(DEV) browser  ## run all tests and show what they miss
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -q $(ARGS)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report --skip-covered --show-missing

dist: $(DEV)  ## build sdist and wheel, and start the wheel in an empty environment
	rm -rf dist
	$(BIN)/python -m build --quiet --no-isolation
	.ci/wheel-smoke dist/*.whl

soak: $(DEV) browser  ## run the experiments of reliability for an hour or so
	SOAK=long $(BIN)/python -m pytest -q --log-cli-level=INFO tests/soak tests/proxy/test_budgets.py tests/routing/test_spends.py \
		tests/store/test_migrate.py tests/ops/test_backup.py tests/proxy/test_ledger.py tests/proxy/test_storage.py \
		tests/proxy/test_connections_soak.py $(ARGS)

clients: $(DEV)  ## ask the gateway with SDKs, coding agents and a small real model (needs node)
	$(BIN)/python -m clients $(ARGS)

bench: $(DEV)  ## measure what the gateway costs a call (ARGS="--only whole,stream --rounds 5")
	$(BIN)/python -m bench $(ARGS)

bench-peers: $(DEV)  ## the same beside other gateways, which are installed into .bench
	$(BIN)/python -m bench --peers all $(ARGS)

lock: $(DEV)  ## renew both lock files
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
		--no-emit-index-url --upgrade pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
		--no-emit-index-url --constraint requirements.lock --extra dev pyproject.toml -o requirements-dev.lock

prices: $(DEV)  ## make the catalogue of list prices anew, from genai-prices
	$(BIN)/python -m gateway.ops.price_source >gateway/prices.json.new
	mv gateway/prices.json.new gateway/prices.json

clean:  ## remove what can be made again
	rm -rf .venv .clients .bench dist build .pytest_cache .ruff_cache .mypy_cache .hypothesis .coverage .coverage.* htmlcov
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The tests drive a real browser; on a new machine it is installed here, where that is allowed.
.PHONY: browser
browser:
	@if command -v chromium chromium-browser google-chrome >/dev/null; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "Installing Chromium for the browser tests."; \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null; \
	else \
		echo "The browser tests need Chromium. Install it (Debian: sudo apt-get install chromium) and run this again."; \
		exit 1; \
	fi

.venv/.made:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; try make PYTHON=python3.12")'
	$(PYTHON) -m venv .venv
	touch $@

$(RUNTIME): .venv/.made requirements.lock
	$(PIP) install --require-hashes -r requirements.lock
	touch $@

$(DEV): .venv/.made requirements-dev.lock
	$(PIP) install --require-hashes -r requirements-dev.lock
	touch $@ $(RUNTIME)
