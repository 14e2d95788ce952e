# Every target makes what it needs: a machine with Python 3.11+, make and pip is enough.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test test-slow test-page lint types docs examples bench alone dist release-check clean

PYTHON ?= python3
# More for the tool that the target calls: make test ARGS="-k dispatch"
ARGS ?=
# The tasks of the demo, all when empty: make demo TASK=vision, make demo TASK="text audio"
TASK ?=
# Processes that share the tests.
WORKERS ?= auto
# The packages that `make alone` checks.
ONLY ?= core vision text tabular collab audio extension-template layerwise-timeseries layerwise-music

# The benchmarks that `make bench` runs: make bench MEASURES=benchmarks/import_time.py ARGS="--runs 5"
MEASURES ?= $(sort $(wildcard benchmarks/[a-z]*.py))

# Packages from outside, as others would write them.
EXTENSIONS := $(sort $(wildcard extension-template/src examples/extensions/*/src))
SPACE := $(subst x,,x x)

VENV := .venv
BENCH := .venv-bench
PAGE := .venv-page
BIN := $(VENV)/bin
NAMES := core vision text tabular collab audio
EDITABLE := $(foreach name,$(NAMES),-e packages/$(name))
# A change in one of these makes the environment old.
INPUTS := pyproject.toml constraints.txt $(wildcard packages/*/pyproject.toml) \
          $(wildcard packages/*/src/layerwise/*/_version.py)
EXAMPLES := $(sort $(filter-out examples/data/% examples/demo/%,$(wildcard examples/*/*.py)))

INSTALL = -m pip install -q --disable-pip-version-check --no-warn-script-location -c constraints.txt
# Hatchling is in the environment already, so that six packages do not fetch it six times.
LAYERWISE = --no-build-isolation $(EDITABLE)

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/make \1|\2/' | \
	  awk -F '|' '{ printf "%-16s %s\n", $$1, $$2 }'

demo: $(VENV)/.stamp-demo ## Install, then train on every kind of data in examples/data and draw it; TASK=vision: one
	@$(BIN)/python examples/demo $(TASK) $(ARGS)

test: $(VENV)/.stamp-test ## Install, then run every test but the slow ones
	@$(BIN)/python -m pytest -q -n $(WORKERS) $(ARGS)

test-slow: $(VENV)/.stamp-test ## Run the slow tests, and those for a GPU where there is one
	@$(BIN)/python -m pytest -q -m "slow or gpu" $(ARGS)

test-page: $(PAGE)/.stamp ## Try the page of `layerwise serve --page` in a browser, in an environment of its own
	@$(PAGE)/bin/python -m pytest -q tests/core/serve/test_page.py $(ARGS)

lint: $(VENV)/.stamp-dev ## Check format, rules of style and who imports whom
	@$(BIN)/ruff format --check --quiet --output-format concise . || { echo "To format: $(BIN)/ruff format ."; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/lint-imports --no-logo

types: $(VENV)/.stamp-dev ## Check types strictly
	@MYPYPATH=$(subst $(SPACE),:,$(EXTENSIONS)) $(BIN)/mypy packages tests $(EXTENSIONS) $(ARGS)

docs: $(VENV)/.stamp-docs ## Build the documentation and run its pages
	@$(BIN)/python -m sphinx -W --keep-going -q -j auto -b html docs docs/_build/html $(ARGS)
	@echo "Open docs/_build/html/index.html"

examples: $(VENV)/.stamp-test ## Run each script in examples/ on small data
	@for script in $(EXAMPLES); do \
	  echo "$$script"; $(BIN)/python $$script --small $(ARGS) || exit 1; \
	done

bench: $(BENCH)/.stamp ## Measure side by side with peers, in an environment of its own
	@for script in $(MEASURES); do \
	  grep -q '__main__' $$script || continue; \
	  echo "$$script"; $(BENCH)/bin/python $$script $(ARGS) || exit 1; \
	done

alone: $(VENV)/.stamp-dev ## Build each package and extension, install it without the others, run its tests
	@$(BIN)/python tests/alone.py $(ONLY)

dist: $(VENV)/.stamp-dev ## Build a wheel and the sources of each package into dist/
	@rm -rf dist
	@for package in packages/*/; do \
	  $(BIN)/python -m build --no-isolation --outdir dist $$package > /dev/null || exit 1; \
	done
	@ls dist

release-check: $(VENV)/.stamp-pip ## See that all is ready for a release: make release-check VERSION=1.2.0
	@$(BIN)/python tests/release.py $(VERSION)

clean: ## Remove the environments and everything that was built
	@rm -rf $(VENV) $(BENCH) $(PAGE) docs/_build docs/reference/generated demo-output build dist \
	  .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage
	@find packages tests examples benchmarks docs -name __pycache__ -prune -exec rm -rf {} +

# --- environments -------------------------------------------------------------------------------

define check_python
@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
  echo "layerwise needs Python 3.11 or newer; $(PYTHON) is: $$($(PYTHON) --version 2>&1 | head -n 1)"; \
  echo "Name another one: make $(or $(MAKECMDGOALS),demo) PYTHON=python3.12"; exit 1; }
endef

$(VENV)/.stamp-pip: Makefile
	$(check_python)
	@echo "Making $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python $(INSTALL) --upgrade "pip>=25.1" hatchling editables
	@touch $@

$(VENV)/.stamp-demo: $(VENV)/.stamp-pip $(INPUTS)
	@echo "Installing layerwise (minutes the first time: PyTorch is large)"
	@$(BIN)/python $(INSTALL) $(LAYERWISE) --group demo
	@touch $@

$(VENV)/.stamp-test: $(VENV)/.stamp-pip $(INPUTS)
	@echo "Installing layerwise and the tools of its tests (minutes the first time: PyTorch is large)"
	@$(BIN)/python $(INSTALL) $(LAYERWISE) --group test
	@touch $@ $(VENV)/.stamp-demo

$(VENV)/.stamp-dev: $(VENV)/.stamp-pip $(INPUTS)
	@echo "Installing layerwise and the developers' tools (minutes the first time: PyTorch is large)"
	@$(BIN)/python $(INSTALL) $(LAYERWISE) --group dev
	@touch $@ $(VENV)/.stamp-test $(VENV)/.stamp-demo

$(VENV)/.stamp-docs: $(VENV)/.stamp-pip $(INPUTS)
	@echo "Installing layerwise and the tools of its documentation"
	@$(BIN)/python $(INSTALL) $(LAYERWISE) --group docs
	@touch $@ $(VENV)/.stamp-demo

# Gradio takes an older Pillow than the rest, so its page has an environment of its own.
$(PAGE)/.stamp: Makefile $(INPUTS)
	$(check_python)
	@echo "Making $(PAGE) with layerwise and Gradio (minutes the first time)"
	@$(PYTHON) -m venv $(PAGE)
	@grep -viE '^(pillow|tomlkit)==' constraints.txt > $(PAGE)/constraints.txt
	@$(PAGE)/bin/python -m pip install -q --disable-pip-version-check -c $(PAGE)/constraints.txt \
	  --upgrade "pip>=25.1" hatchling editables
	@$(PAGE)/bin/python -m pip install -q --disable-pip-version-check -c $(PAGE)/constraints.txt \
	  --no-build-isolation -e "packages/core[demo]" -e packages/vision -e packages/text \
	  -e packages/tabular --group test playwright
	@touch $@

$(BENCH)/.stamp: Makefile $(INPUTS) $(wildcard benchmarks/requirements.txt)
	$(check_python)
	@echo "Making $(BENCH) with layerwise and its peers (minutes the first time)"
	@$(PYTHON) -m venv $(BENCH)
	@$(BENCH)/bin/python $(INSTALL) --upgrade "pip>=25.1" hatchling editables
	@$(BENCH)/bin/python $(INSTALL) $(LAYERWISE) -r benchmarks/requirements.txt
	@touch $@
