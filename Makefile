# Everything a checkout needs: `make demo` and `make test` set up whatever is missing first.
# Debian's packages are installed where this runs as root; else a line says which are missing.

SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin

# What may be said on the command line. Assigned here, so that nothing comes from the environment: a
# login's $MAIL is its mailbox.
PYTHON := python3
MAIL :=
PYTEST_ARGS :=
BENCH_ARGS :=
FUZZ_SECONDS := 60
FUZZ_ARGS :=
CORPUS :=
ABOUT :=
DEB := ../filterd-deb
DOCS := build/docs
DIST := dist

# Both scripts look first and do nothing where all is there, so they have no stamp that could be wrong.
export PYTHON
# Tests start hundreds of processes of filterd. Without bytecode each compiles all modules anew, and they
# take twice as long.
unexport PYTHONDONTWRITEBYTECODE
IN_FOLDER := TMPDIR=$$(scripts/test-folder.sh)
.NOTPARALLEL:

.PHONY: help setup setup-dev setup-test demo test unit check bench fuzz model deb wheel docs format clean

help:
	@echo "make demo     mail through the embedded MTA and the filter, one table of what happened"
	@echo "              (make demo MAIL=path sends your own mail as well)"
	@echo "make test     all tests, with real sendmail, Postfix and clamd"
	@echo "make unit     the quick tests that need no server, on all cores (under a minute on two)"
	@echo "make check    ruff, mypy --strict, import directions"
	@echo "make fuzz     hostile mail made by libFuzzer, for FUZZ_SECONDS=60"
	@echo "make bench    speed and memory, beside other filters"
	@echo "make deb      a Debian package for this release, in DEB=../filterd-deb"
	@echo "make wheel    wheel and source for pip and pipx, with a lock by hashes, in DIST=dist"
	@echo "make docs     the documentation as a site, in DOCS=build/docs; a broken link is an error"
	@echo "make model    train the starter model anew (CORPUS=path of a TREC index or folder)"

# A path in quotes for the shell, whatever is in it.
quoted = '$(subst ','\'',$(1))'

setup:
	@scripts/setup-system.sh base
	@scripts/setup-python.sh product

setup-dev:
	@scripts/setup-system.sh base
	@scripts/setup-python.sh test

setup-test:
	@scripts/setup-system.sh test
	@scripts/setup-python.sh test

demo: setup
	@$(BIN)/filterd demo $(if $(MAIL),--mail $(call quoted,$(MAIL)))

# The unit tests take all cores. The others drive servers and browsers, and wait a lot: three files at a
# time, the tests of a file one after the other, since they share its servers.
test: setup-test
ifeq ($(strip $(PYTEST_ARGS)),)
	@$(BIN)/python -m pytest --ignore=tests/unit -n 3 --dist loadfile --no-loadscope-reorder
	@$(IN_FOLDER) $(BIN)/python -m pytest tests/unit -n auto
else
	@$(BIN)/python -m pytest $(PYTEST_ARGS)
endif

unit: setup-dev
	@$(IN_FOLDER) $(BIN)/python -m pytest tests/unit -m "not server and not slow" -n auto \
		--hypothesis-profile=quick $(PYTEST_ARGS)

check: setup-dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/python -m pytest tests/unit/test_imports.py

deb:
	@scripts/setup-system.sh base
	@scripts/build-deb.sh $(call quoted,$(DEB))

wheel: setup
	@$(BIN)/python -P scripts/wheel.py $(call quoted,$(DIST))

# Sphinx has its own environment: no part of filterd needs it.
docs: setup
	@scripts/build-docs.sh $(call quoted,$(DOCS))

format: setup-dev
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

# libFuzzer comes with the package atheris, which only this needs.
fuzz: setup-dev
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes \
		--no-build-isolation --use-pep517 -r requirements/fuzz.txt
	@$(BIN)/python -m tests.fuzz.message -max_total_time=$(FUZZ_SECONDS) $(FUZZ_ARGS)

bench: setup-test
	@$(BIN)/python -m bench $(BENCH_ARGS)

model: setup
	@test -n $(call quoted,$(CORPUS)) || { echo "make model CORPUS=path of a TREC index or folder"; exit 64; }
	@$(BIN)/filterd train $(call quoted,$(CORPUS)) --starter --output models/starter.fdm \
		--about $(call quoted,$(or $(ABOUT),trained on $(notdir $(CORPUS))))

clean:
	rm -rf $(VENV) build dist *.egg-info demo
