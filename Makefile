# What a newcomer needs: Python 3.11 or later, and make.
PYTHON ?= python3
PORT ?= 8000
# What `make soak` runs, and for how long: FORM is soak or storm, DATABASE sqlite, postgresql or mariadb.
FORM ?= soak
DATABASE ?= sqlite
MINUTES ?= 30
# What `make benchmarks` is told besides, such as "--rounds 3"; python -m benchmarks --help lists it.
BENCHMARKS ?=
VENV := .venv
BIN := $(VENV)/bin
# The peers that benchmarks measure have an environment of their own, so that tests meet none of them.
PEERS := .venv-benchmarks
MANAGE := $(BIN)/python example_project/manage.py

.DEFAULT_GOAL := help
.PHONY: help demo test lint docs soak mutations burst benchmarks clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.installed ## Serve the example site on http://127.0.0.1:$PORT (8000), with running tasks
	@$(MANAGE) migrate --verbosity 0
	@$(MANAGE) seed_demo
	@echo
	@echo "  The demo:  http://127.0.0.1:$(PORT)/        log in as admin, password admin"
	@echo "  Reports:   http://127.0.0.1:$(PORT)/reports/"
	@echo "  Stop it with Ctrl-C."
	@echo
	@exec $(MANAGE) runserver --noreload 127.0.0.1:$(PORT)

test: $(VENV)/.installed-test ## Run the quick tests, on SQLite
	$(BIN)/python -m pytest -n auto

lint: $(VENV)/.installed-dev ## Check style, types and the direction of imports
	$(BIN)/tox run -e lint,types,imports

docs: $(VENV)/.installed-dev ## Build the documentation into docs/_build/html
	$(BIN)/python -m sphinx -W --keep-going docs docs/_build/html

soak: $(VENV)/.installed-soak-$(DATABASE) ## Kill and stop nodes for $MINUTES (30) on $DATABASE (sqlite), and log it
	$(BIN)/python -m tests.chaos.soak --form $(FORM) --minutes $(MINUTES) --database $(DATABASE)

mutations: $(VENV)/.installed-chaos ## Take guards out of the engine, one at a time, see tests fail, and log it
	CHAOS=full CHAOS_LOG=1 $(BIN)/python -m pytest -q -n 0 -p no:randomly -o faulthandler_timeout=1800 -m chaos tests/chaos/test_mutations.py

burst: $(VENV)/.installed-chaos ## Run 10,000 tasks due in the same second on four nodes, and log how long it takes
	CHAOS=full CHAOS_LOG=1 $(BIN)/python -m pytest -q -n 0 -p no:randomly -o faulthandler_timeout=1800 -m chaos tests/chaos/test_starts.py -k s10

benchmarks: $(PEERS)/.installed ## Measure it beside its peers, for hours, and put the figures into the documentation
	$(PEERS)/bin/python -m benchmarks --json benchmarks/results.json $(BENCHMARKS)
	$(PEERS)/bin/python -m benchmarks.publish

clean: ## Remove all that these commands made, the demo's database too
	rm -rf $(VENV) $(PEERS) .tox build dist *.egg-info docs/_build .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	rm -rf .coverage .coverage.* htmlcov .hypothesis
	rm -f example_project/db.sqlite3 example_project/db.sqlite3-*

# Installed again when pyproject.toml changes, and not otherwise: the install is editable.
$(VENV)/.installed: EXTRAS =
$(VENV)/.installed-test: EXTRAS = [test]
$(VENV)/.installed-dev: EXTRAS = [dev]
$(VENV)/.installed-soak-sqlite: EXTRAS = [test]
$(VENV)/.installed-soak-postgresql: EXTRAS = [test,postgres]
$(VENV)/.installed-soak-mariadb: EXTRAS = [test,mysql]
$(VENV)/.installed-chaos: EXTRAS = [test,postgres,mysql]
$(VENV)/.installed $(addprefix $(VENV)/.installed-,test dev soak-sqlite soak-postgresql soak-mariadb chaos): pyproject.toml
	@echo "Installing into $(VENV), which takes a moment ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip --disable-pip-version-check install --quiet --editable '.$(EXTRAS)'
	@touch $@

$(PEERS)/.installed: pyproject.toml benchmarks/requirements.txt
	@echo "Installing into $(PEERS), which takes a moment ..."
	@$(PYTHON) -m venv $(PEERS)
	@$(PEERS)/bin/python -m pip --disable-pip-version-check install --quiet --editable '.[postgres,mysql]' \
		--requirement benchmarks/requirements.txt
	@touch $@
