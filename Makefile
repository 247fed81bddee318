# make demo    see the whole thing work, offline once it is installed
# make test    run all tests
# make check   style, types, direction of imports, documentation
# make peers   the simulated org, read by simple-salesforce, jsforce and the Salesforce CLI
# make live    the contract, an export and the open questions, tried on a real org
# make clean   remove what these made

PYTHON ?= python3
VENV ?= .venv

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check --no-input
LINTED := $(wildcard sfexit tests bench)

.PHONY: demo test check peers live clean

demo: $(VENV)/.for-demo
	@$(BIN)/sfexit demo

# Four, also on two processors: much of the time goes by waiting for an org that is slow.
test: $(VENV)/.for-development
	@$(BIN)/python -m pytest --numprocesses 4 --dist loadfile

check: $(VENV)/.for-development
	@$(BIN)/ruff check $(LINTED)
	@$(BIN)/ruff format --check $(LINTED)
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m pytest --quiet -m "not slow" tests/test_docs.py

peers: $(VENV)/.for-development
	@$(BIN)/python tests/contract/peers.py

live: $(VENV)/.for-development
	@$(BIN)/python tests/contract/live.py

clean:
	rm -rf $(VENV) demo-exit build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	rm -rf .import_linter_cache
	find sfexit tests bench -name __pycache__ -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "sfexit needs Python 3.11 or newer; name one, for example: make PYTHON=python3.12 demo" >&2; \
	  exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "Python could not make $(VENV); on Debian and Ubuntu install python3-venv first" >&2; \
	  exit 1; }

# Installed in place, so that a change of the sources needs no new installation.
$(VENV)/.for-demo: pyproject.toml | $(BIN)/python
	@echo "Installing sfexit and the validators into $(VENV) …"
	@$(PIP) install --editable '.[validators]'
	@touch $@


$(VENV)/.for-development: pyproject.toml | $(BIN)/python
	@echo "Installing sfexit and the development tools into $(VENV) …"
	@$(PIP) install --editable '.[dev]'
	@touch $@ $(VENV)/.for-demo
