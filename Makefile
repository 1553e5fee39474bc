# Two commands do everything on a machine with git, make and Python 3.11 or newer:
#
#   make demo     the main job, offline and for free: prompts in, videos in out/demo/
#   make test     the whole test suite, with its branch coverage
#
# Each makes .venv by itself, only when needed. PYTHON=... chooses another Python for it.

.PHONY: install check format test test-fast fuzz simulate mutants bench demo dist clean
.DEFAULT_GOAL := test

VENV := .venv
BIN := $(VENV)/bin
PARALLEL := --numprocesses auto --dist worksteal
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check

install: $(VENV)/.dev

check: $(VENV)/.dev
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --check --quiet || { echo "run: make format" >&2; exit 1; }
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/pyright --warnings >$(VENV)/pyright.log || { cat $(VENV)/pyright.log; exit 1; }
	@$(BIN)/lint-imports --no-logo >$(VENV)/imports.log || { cat $(VENV)/imports.log; exit 1; }

format: $(VENV)/.dev
	@$(BIN)/ruff check --fix --quiet || true
	@$(BIN)/ruff format --quiet

test: $(VENV)/.dev
	@$(BIN)/python -m pytest $(PARALLEL) --cov

test-fast: $(VENV)/.dev
	@$(BIN)/python -m pytest $(PARALLEL) -m "not slow"

# FUZZ_MINUTES=5 make fuzz
fuzz: $(VENV)/.dev
	@$(BIN)/python -m tests.fuzz

simulate: $(VENV)/.dev
	@$(BIN)/python -m tests.simulation --seeds 10000

mutants: $(VENV)/.dev
	@$(BIN)/python -m tests.simulation.mutants

bench: $(VENV)/.dev
	@$(BIN)/python -m benchmarks

demo: $(VENV)/.demo
	@$(BIN)/veo-async demo

dist: $(VENV)/.dev
	@rm -rf dist
	@$(BIN)/python -m build --outdir dist >$(VENV)/build.log 2>&1 || { cat $(VENV)/build.log; exit 1; }
	@$(BIN)/python -m tests.support.dist dist

clean:
	@rm -rf $(VENV) dist .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	@find veo_async tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps are newer than pyproject.toml exactly while what it asks for is installed.
$(VENV)/.dev: pyproject.toml | $(BIN)/python
	@echo "installing the development tools into $(VENV), once ..."
	@$(PIP_INSTALL) --editable ".[dev]"
	@touch $(VENV)/.demo $@

$(VENV)/.demo: pyproject.toml | $(BIN)/python
	@echo "installing what the demo needs into $(VENV), once ..."
	@$(PIP_INSTALL) --editable ".[cli,emulator]"
	@touch $@

# A name is no proof: an old Python may be called python3, a version manager's python3.13 may be
# an empty shell, and Debian's Python comes without ensurepip until python3-venv is installed.
$(BIN)/python:
	@old="no Python 3.11 or newer was found: install one, or name one with make PYTHON=..."; why=$$old; \
	for python in $(or $(PYTHON),python3 python3.14 python3.13 python3.12 python3.11 python); do \
	    "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 || continue; \
	    if ! "$$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then \
	        [ "$$why" = "$$old" ] && why="$$python has no venv module: install it (on Debian and Ubuntu: apt install python3-venv)"; \
	        continue; \
	    fi; \
	    "$$python" -m venv --clear $(VENV) && exit 0; \
	    rm -rf $(VENV); why="$$python could not make $(VENV)"; break; \
	done; \
	echo "veo-async: $$why" >&2; exit 1
