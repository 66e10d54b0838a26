# make app: install what is locked and open the app.   make test: install and pass the tests.
PYTHON ?= python3
BIN := .venv/bin
SHELL := /bin/bash

.PHONY: app test check lock bench planted clean

app: .venv/.app
	$(BIN)/ood app

test: .venv/.dev
	$(BIN)/python tests/browser/ensure_chromium.py
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2

check: .venv/.dev
	$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/mypy && $(BIN)/lint-imports

planted: .venv/.dev
	$(BIN)/python tests/planted/run.py

bench: .venv/.dev
	$(BIN)/python -m benchmarks

# Versions and hashes, no index addresses.
lock: .venv/.uv
	$(BIN)/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-emit-find-links --no-header --upgrade -o requirements/dev.txt
	$(BIN)/uv pip compile pyproject.toml --extra app --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-emit-find-links --no-header -c requirements/dev.txt -o requirements/app.txt

.venv/.uv:
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	touch $@

.venv/.app: .venv/.uv requirements/app.txt pyproject.toml
	$(BIN)/uv pip install --python $(BIN)/python --compile-bytecode --require-hashes -r requirements/app.txt
	$(BIN)/uv pip install --python $(BIN)/python --no-deps -e .
	touch $@

.venv/.dev: .venv/.uv requirements/dev.txt pyproject.toml
	$(BIN)/uv pip install --python $(BIN)/python --compile-bytecode --require-hashes -r requirements/dev.txt
	$(BIN)/uv pip install --python $(BIN)/python --no-deps -e .
	touch $@

clean:
	rm -rf .venv
