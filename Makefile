# Everything a person or a machine does here, by name. Each target does its own set-up; `make` alone lists them.

PYTHON := .venv/bin/python
# Tests wait for servers most of the time. A file stays on one worker, and each worker has servers of its own: about 2 GB.
PARALLEL := -n 3 --dist loadfile
C_SOURCES := $(shell find connectors -name '*.c')

.DEFAULT_GOAL := help
.PHONY: help install demo check test bench chaos fuzz clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: .venv/installed  ## put everything into .venv, with .venv/bin/streamtrain

demo: .venv/installed  ## the whole line on embedded parts, live in the terminal
	.venv/bin/streamtrain demo

check: .venv/installed-dev  ## style, types and import layers
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy
	$(PYTHON) -m pytest -q tests/test_layers.py

test: .venv/installed-dev  ## all tests, on private instances of real servers, fetched where they are missing
	$(PYTHON) -m tests.servers fetch mysql mariadb kafka debezium apicurio
	$(PYTHON) -m pytest $(PARALLEL) --cov --cov-report=term:skip-covered --durations=15

bench: .venv/installed-dev  ## measure this project and its peers in one run on this machine; options: PARTS="capture snapshot ..."|all
	$(PYTHON) -m tests.servers fetch mysql kafka debezium
	$(PYTHON) -m benchmarks $(PARTS)

chaos: .venv/installed-dev  ## kill and freeze everything under random work; options: SEED=, MINUTES=3, SOURCE=mysql|mariadb|mongo|all
	$(PYTHON) -m tests.servers fetch
	$(PYTHON) -m tests.chaos --minutes $(or $(MINUTES),3) --source $(or $(SOURCE),all) $(if $(SEED),--seed $(SEED)) $(CHAOS)

fuzz: .venv/installed-dev  ## damage recorded logs and decode them, in Python and in C with sanitizers; options: SEED=, MINUTES=1
	$(PYTHON) -m tests.fuzz --minutes $(or $(MINUTES),1) $(if $(SEED),--seed $(SEED))
	$(PYTHON) -m tests.fuzz --minutes $(or $(MINUTES),1) $(if $(SEED),--seed $(SEED)) --sanitize

clean:  ## remove .venv and everything generated; fetched servers stay in their cache
	rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage streamtrain-demo
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps are newer than what decides the contents, so that a second run starts at once.
.venv/installed: pyproject.toml setup.py $(C_SOURCES) scripts/install
	scripts/install
	@touch $@

.venv/installed-dev: pyproject.toml setup.py $(C_SOURCES) scripts/install
	scripts/install dev
	@touch .venv/installed $@
