# Everything that README tells users to type. Each target does its own set-up, so a
# machine needs Python 3.11 or newer and nothing else of ours.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
CODE := pulumi_jig examples policies tests
ENGINE := $(VENV)/engine
# Nobody's account or stack is ever touched: inherited credentials and settings go. A
# `pulumi` that is installed on this machine comes before the one of `make engine`.
CLEAN_ENV := env $(foreach v,$(filter TOGETHER_% PULUMI_%,$(.VARIABLES)),-u $(v)) \
  PATH="$$PATH:$(CURDIR)/$(ENGINE)/bin"
PYTEST := $(CLEAN_ENV) $(BIN)/python -m pytest -n 2 --dist worksteal

.PHONY: help setup lock engine demo test check coverage outside package fmt lint types imports deep cases conformance live chaos bench reference images clean

help: ## Show this list.
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "pulumi_jig needs Python 3.11 or newer; say make PYTHON=python3.x")'
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { echo "This Python cannot make virtual environments (on Debian: apt-get install python3-venv)."; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Setting up $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

setup: $(STAMP) ## Make the virtual environment.

# Takes the newest of everything that pyproject.toml allows.
lock: ## Write constraints.txt anew.
	@$(PYTHON) -m venv --clear $(VENV)/lock
	@$(VENV)/lock/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@{ sed -n '/^#/p' constraints.txt; $(VENV)/lock/bin/python -m pip freeze --exclude-editable; } >$(VENV)/constraints
	@mv $(VENV)/constraints constraints.txt

# For work on this project. Who only uses it installs Pulumi the way its makers say.
engine: $(STAMP) ## Install the real `pulumi` for the demo and the tests (needs Go).
	@$(BIN)/python tests/engine/install.py

demo: $(STAMP) ## Watch a deployment come up, change and go, on this machine alone.
	@$(CLEAN_ENV) $(BIN)/python examples/demo.py

test: $(STAMP) ## Run the tests (both engines where `pulumi` is on PATH).
	@$(PYTEST) -m "not deep and not package"

deep: $(STAMP) ## Run the long suites as well.
	@$(CLEAN_ENV) HYPOTHESIS_PROFILE=deep $(BIN)/python -m pytest -n 2 --dist worksteal -m "not package"

# The rooms whose every branch is taken by tests in this process.
COVERED := schema client rollout lifecycle host
comma := ,
space := $(subst ,, )
INCLUDE := $(subst $(space),$(comma),$(foreach r,$(COVERED),pulumi_jig/$(r).py pulumi_jig/$(r)/*))
coverage: $(STAMP) ## Hold the rooms that decide to full branch coverage.
	@$(PYTEST) -q -m "not deep" --cov --cov-report= tests/unit tests/client \
	  tests/lifecycle tests/host
	@$(BIN)/coverage report --include='$(INCLUDE)' --show-missing --skip-covered \
	  --fail-under=100

# Their dependencies would be in the way of ours, so they have an environment of their own.
OUTSIDE := $(VENV)/outside
$(OUTSIDE)/.installed: Makefile
	@$(PYTHON) -m venv $(OUTSIDE)
	@$(OUTSIDE)/bin/python -m pip install --quiet --disable-pip-version-check 'schemathesis>=4.32,<5' 'together==3.1.1'
	@touch $@

outside: $(STAMP) $(OUTSIDE)/.installed ## Hold the emulator to tools of others (needs an index).
	@$(CLEAN_ENV) PULUMI_JIG_SCHEMATHESIS=$(CURDIR)/$(OUTSIDE)/bin/schemathesis \
	  PULUMI_JIG_TOGETHER_PYTHON=$(CURDIR)/$(OUTSIDE)/bin/python \
	  $(BIN)/python -m pytest -q tests/emulator/test_openapi.py tests/emulator/test_vendor.py

reference: $(STAMP) ## Write docs/reference from the code.
	@$(BIN)/python tests/docs/reference.py

images: $(STAMP) ## Draw the pictures of README (needs Chromium).
	@$(BIN)/python tests/docs/images.py

cases: $(STAMP) ## Write the tests of each case into tests/README.md.
	@$(BIN)/python tests/docs/cases.py

package: $(STAMP) ## Build the distributions and try them (needs a package index).
	@rm -rf dist
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check build 'twine>=6'
	@$(BIN)/python -m build --outdir dist >dist.log 2>&1 || { cat dist.log; rm -f dist.log; exit 1; }
	@rm -f dist.log
	@$(CLEAN_ENV) $(BIN)/python -m pytest -q -m package tests/packaging

fmt: $(STAMP) ## Format the code.
	@$(BIN)/ruff format --quiet $(CODE)
	@$(BIN)/ruff check --quiet --fix $(CODE)

lint: $(STAMP) ## Check format and lint.
	@$(BIN)/ruff format --check --quiet $(CODE) || { echo "Run make fmt."; exit 1; }
	@$(BIN)/ruff check $(CODE)

types: $(STAMP) ## Check types.
	@$(BIN)/mypy
	@set -e; for program in examples/*/*.py examples/*.py policies/*/__main__.py; do \
	  if test -f $$program; then $(BIN)/mypy --no-error-summary $$program; fi; done

imports: $(STAMP) ## Check the import rules.
	@$(BIN)/lint-imports

check: lint types imports test ## All of it, as in continuous integration.

conformance: $(STAMP) ## Ask the emulator for each of its rules.
	@$(PYTEST) -q tests/conformance

# The one target that uses a real account: the key stays, and it asks before it begins.
live: $(STAMP) ## Ask the real service the same (needs TOGETHER_API_KEY and a yes; SWEEP=1).
	@$(BIN)/python tests/conformance/live.py $(if $(SWEEP),--sweep)

SEED ?= 1
LEVEL ?= process
chaos: $(STAMP) ## Break things at random: make chaos SEED=1 RUNS=1000 LEVEL=process|nouns|whole
	@$(CLEAN_ENV) $(BIN)/python tests/chaos/run.py --seed $(SEED) --level $(LEVEL) $(if $(RUNS),--runs $(RUNS))

bench: $(STAMP) ## Print the benchmarks, as ratios within one run.
	@$(CLEAN_ENV) BENCH_STACKS="$(STACKS)" \
	  PULUMI_JIG_TOGETHER_PYTHON=$(wildcard $(CURDIR)/$(OUTSIDE)/bin/python) \
	  $(BIN)/python tests/perf/bench.py $(WHAT)

clean: ## Remove what was built.
	rm -rf $(VENV) dist build
