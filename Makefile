SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
TARGET ?=
UP_FLAGS ?=
# Tests start hundreds of processes, and each process of pytest reads 700 files: 21 s of CPU without byte code, 9 with it.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help up demo format check test cover system lock build all

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' Makefile

up: .venv/.ready ## watch an engine: make up TARGET=http://host:8000 (without TARGET: the demo, on a simulated fleet)
	@if [ -n "$(TARGET)" ]; then exec $(BIN)/inferometer up --target "$(TARGET)" $(UP_FLAGS); else exec $(BIN)/inferometer demo $(UP_FLAGS); fi

demo: .venv/.ready ## run the demo, on a simulated fleet that says so
	@exec $(BIN)/inferometer demo $(UP_FLAGS)

format: .venv/.ready ## format the code and mend what can be mended by itself
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

check: .venv/.ready ## format, lint, types, contracts, locks
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	@{ $(BIN)/lint-imports --no-logo >/dev/null || $(BIN)/lint-imports --no-logo; } && $(BIN)/mypy & others=$$!; \
	$(BIN)/pyright; wait $$others
	@tools/lock --check

test: .venv/.ready ## fast tests: loopback only, no GPU, no Docker, no root
	$(BIN)/pytest -n 2 --dist loadfile -q --ignore=tests/system --ignore=tests/gpu

cover: .venv/.ready ## branch coverage of the fast tests
	$(BIN)/pytest -q --cov --cov-report=term-missing:skip-covered

system: .venv/.ready ## real vLLM, Prometheus, kills and crashes; provisions what it needs (minutes on the first run)
	@tools/provision
	@export PATH="$$PWD/.rig/debian/usr/bin:$$PATH"; files=$$(grep -rl 'mark\.system' tests | sort); failed=0; \
	$(BIN)/pytest -q -n 2 --dist loadfile --no-loadscope-reorder --durations=15 -m 'system and beside' $$files || failed=$$?; \
	$(BIN)/pytest -q --durations=15 -m 'system and not beside' $$files || failed=$$?; exit $$failed

lock: ## write both lock files anew (needs uv)
	@tools/lock

build: .venv/.ready ## wheel and sdist into dist/
	$(BIN)/python -m hatchling build

all: format check test ## format, check and test

# One environment, two roads: uv where it is installed, venv and pip where not. Both install the same locked versions.
.venv/.ready: pyproject.toml uv.lock requirements.lock
	@PYTHON=$(PYTHON) tools/environment
	@touch $@
