# The verbs of a checkout. Each first brings .venv in line with uv.lock; that costs nothing when it already is.

PYTHON := $(shell for p in python3.11 python3.12 python3.13 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && command -v $$p && break; done)
BIN := .venv/bin
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help install up down dashboard test check bench soak new-service environment

help: ## This list
	@sed -n 's/^\([a-z-]*\):.*## /  \1\t/p' $(MAKEFILE_LIST) | expand -t 16

environment:
	@test -n "$(PYTHON)" || { echo "error: AgentPlane needs Python 3.11 or newer on PATH" >&2; exit 1; }
	@$(PYTHON) cli/agentplane_cli/environment.py

install: environment ## Make the environment, .env, the stores and their schema
	@$(BIN)/agentplane install

up: environment ## Start everything; returns when it is ready
	@$(BIN)/agentplane up $(ARGS)

down: environment ## Stop everything; the data stays
	@$(BIN)/agentplane down

dashboard: environment ## Build the dashboard now; `up` does it beside the platform. ARGS=standalone: its own server
	@$(BIN)/python -m services.embedded.dashboard . $(ARGS)

test: environment ## Run the tests on real PostgreSQL, NATS and Redis: make test ARGS="-k outbox"
	@$(BIN)/python -m pytest -n 3 --dist loadgroup $(ARGS)

check: environment ## Format, lint, types, layers and uniformity
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q tests/uniformity

bench: environment ## Measure; writes benchmarks/RESULTS.md
	@$(BIN)/python -m benchmarks $(ARGS)

soak: environment ## The drills of the tests at their full count
	@AGENTPLANE_SOAK=1 $(BIN)/python -m pytest -m drill $(ARGS)

new-service: environment ## Render a service, its contract and its tests: make new-service NAME=usage-meter
	@test -n "$(NAME)" || { echo "usage: make new-service NAME=<kebab-case-name>" >&2; exit 2; }
	@$(BIN)/python -m scaffold $(NAME)
