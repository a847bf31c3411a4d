# Everything runs in .venv, made on demand from the lock. Needed: Python 3.11 or newer with venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input

.DEFAULT_GOAL := help
.PHONY: docs help demo test soak check lint types imports format bench lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/ready ## the whole story, on a homeserver of its own
	@$(BIN)/wenk demo

test: $(VENV)/ready ## all tests; ARGS="-k reference" for some of them
	@$(BIN)/python -m pytest --numprocesses 2 --dist loadfile $(ARGS)

soak: $(VENV)/ready ## kill the bot 500 times, then play 100 random sequences on each database (half an hour); ARGS="--kills 50" WENK_SOAK=10
	@$(BIN)/python -m tests.soak $(ARGS)
	@WENK_SOAK=$(or $(WENK_SOAK),100) $(BIN)/python -m pytest -q tests/storage/test_any_order.py

check: lint types imports ## lint, types and the import contract

lint: $(VENV)/ready ## ruff: rules and format
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check . || { echo "not formatted; run: make format"; exit 1; }

types: $(VENV)/ready ## mypy, strict
	@$(BIN)/mypy

imports: $(VENV)/ready ## imports point one way: bot, handlers, storage, domain
	@$(BIN)/lint-imports --no-logo

docs: $(VENV)/ready ## write the guides and docs/life.md from the descriptions that the code follows
	@$(BIN)/python -m bot.guides

format: $(VENV)/ready ## format, and fix what can be fixed
	@$(BIN)/ruff format --quiet .
	@$(BIN)/ruff check --quiet --fix .

bench: $(VENV)/ready .venv-bench/ready ## measure against bare Matrix, by size, and beside others; ARGS="--parts e --sizes 10000"
	@$(BIN)/python -m bench $(ARGS)

COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header $(if $(UPGRADE),--upgrade)

lock: $(VENV)/ready ## lock again after a change of pyproject.toml; UPGRADE=1 takes the newest versions
	@$(COMPILE) pyproject.toml --output-file requirements.lock
	@$(COMPILE) pyproject.toml --extra dev --extra demo --constraint requirements.lock --output-file requirements-dev.lock
	@$(COMPILE) --group bench --output-file requirements-bench.lock
	@! grep -n '://' requirements*.lock || { echo "a lock names no host"; exit 1; }

clean: ## remove what make made
	@rm -rf $(VENV) .venv-bench *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache tests/js/node_modules
	@find . -name __pycache__ -prune -exec rm -rf {} +

# A new lock makes a new environment: nothing stays in it that the lock does not name.
$(VENV)/locked: requirements-dev.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
		|| { echo "Wenk needs Python 3.11 or newer; name it: make PYTHON=python3.11"; exit 1; }
	@echo "Making $(VENV) from the lock; once, about a minute:"
	@$(PYTHON) -m venv --clear $(VENV)
	@{ $(PIP) install --require-hashes -r requirements-dev.lock 2>&1 && touch $@; } | tee $(VENV)/install.log \
		| awk '/^(Collecting|Processing)/ { printf "."; fflush() } END { print "" }'
	@test -f $@ || { tail -n 20 $(VENV)/install.log; exit 1; }

$(VENV)/ready: $(VENV)/locked pyproject.toml
	@$(PIP) install --quiet --no-deps --no-build-isolation -e .
	@touch $@

# What Wenk is measured beside is heavy, and in nobody's way who does not measure.
.venv-bench/ready: requirements-bench.lock
	@echo "Making .venv-bench from the lock; once, about a minute"
	@$(PYTHON) -m venv --clear .venv-bench
	@.venv-bench/bin/python -m pip --disable-pip-version-check --no-input install --quiet --require-hashes -r $<
	@touch $@
