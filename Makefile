# Everything a checkout needs: `make demo` and `make test` set up whatever is missing first.
# Debian's packages are installed where this runs as root; else a line says which are missing.

SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: help setup setup-test demo test check bench fuzz model format clean

help:
	@echo "make demo     mail through the embedded MTA and the filter, one table of what happened"
	@echo "              (make demo MAIL=path sends your own mail as well)"
	@echo "make test     all tests, with real sendmail, Postfix and clamd"
	@echo "make check    ruff, mypy --strict, import directions"
	@echo "make fuzz     hostile mail made by libFuzzer, for FUZZ_SECONDS=60"
	@echo "make bench    speed and memory, beside other filters"
	@echo "make model    train the starter model anew (CORPUS=path of a TREC index or folder)"

setup: .setup/base $(STAMP)

setup-test: .setup/test $(STAMP)

.setup/base: scripts/setup-system.sh
	@mkdir -p .setup
	@scripts/setup-system.sh base
	@touch $@

.setup/test: scripts/setup-system.sh
	@mkdir -p .setup
	@scripts/setup-system.sh test
	@touch .setup/base $@

# After the system packages: pymilter is compiled against libmilter.
$(STAMP): pyproject.toml constraints.txt filterd/bayes/_kernel.c | .setup/base
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing Python packages into $(VENV)"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: setup
	@$(BIN)/filterd demo $(if $(MAIL),--mail '$(MAIL)')

test: setup-test
	@$(BIN)/python -m pytest $(PYTEST_ARGS)

check: setup
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/python -m pytest tests/unit/test_imports.py

format: setup
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

# libFuzzer comes with the package atheris, which only this needs.
FUZZ_SECONDS ?= 60
fuzz: setup
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt -e '.[fuzz]'
	@$(BIN)/python -m tests.fuzz.message -max_total_time=$(FUZZ_SECONDS) $(FUZZ_ARGS)

bench: setup-test
	@$(BIN)/python -m bench $(BENCH_ARGS)

model: setup
	@test -n "$(CORPUS)" || { echo "make model CORPUS=path of a TREC index or folder"; exit 64; }
	@$(BIN)/filterd train '$(CORPUS)' --starter --output models/starter.fdm \
		--about '$(or $(ABOUT),trained on $(notdir $(CORPUS)))'

clean:
	rm -rf .setup $(VENV) build dist *.egg-info demo
