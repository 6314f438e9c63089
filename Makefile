# make app            the app, in the browser
# make test           the tests (browser tests where a Chromium is found)
# make test-full      the slow tests at full width
# make opening        measure the opening view again and store it
# make check          linters, formatter, types, import floors
# make release-check  do version, changelog and tag agree?
# make clean          remove the virtual environment, caches and build leftovers
#
# Another Python: make app PYTHON=python3.12      Further options: make app OPTIONS="--server.port 8600"
# Needs no root and no compiler. Written for GNU make 3.81 (macOS) and later.

ifeq ($(origin PYTHON),undefined)
CANDIDATES := python3 python3.14 python3.13 python3.12 python3.11
else
CANDIDATES := $(PYTHON)
endif

# Each worker has its own app and browser; a worker that has run out of tests takes some from another. Browsers wait a
# lot, so three workers keep two cores busy.
WORKERS := -n 3 --dist worksteal
VENV := .venv
# Bytecode is kept whatever the shell's settings: the tests start the app and the command line again and again.
unexport PYTHONDONTWRITEBYTECODE
RUN := $(VENV)/bin/python
INSTALL := $(RUN) -m pip install --quiet --disable-pip-version-check
REQUIREMENTS := requirements.txt $(shell find compat -name build -prune -o \( -name '*.py' -o -name '*.toml' \) -print)
SUITABLE := import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))

.PHONY: app test test-full opening check release-check clean install install-dev

app: install
	$(RUN) -m streamlit run app.py $(OPTIONS)

test: install-dev
	$(RUN) -m pytest -q $(WORKERS) $(OPTIONS)

test-full: install-dev
	$(RUN) -m pytest -q -m full $(WORKERS) $(OPTIONS)

opening: install
	$(RUN) -m explorer.pages.look.opening

check: install-dev
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(VENV)/bin/oxlint explorer
	$(RUN) -m mypy
	$(RUN) -m pytest -q tests/project/test_floors.py

release-check: install-dev
	$(RUN) -m deploy.release_check

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache .mypy_cache .hypothesis
	rm -rf build dist *.egg-info compat/*/build compat/*/*.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

install: $(VENV)/app-installed
install-dev: $(VENV)/dev-installed

# The two stamp files are newer than the requirements they stand for, so nothing is installed twice.
$(VENV)/app-installed: $(REQUIREMENTS) $(RUN)
	@echo "Installing the app into $(VENV) (this takes a few minutes the first time)"
	$(INSTALL) -r requirements.txt
	@touch $@

$(VENV)/dev-installed: requirements-dev.txt $(VENV)/app-installed
	@echo "Installing the test tools into $(VENV)"
	$(INSTALL) -r requirements-dev.txt
	@touch $@

$(RUN):
	@for python in $(CANDIDATES); do \
	    if "$$python" -c '$(SUITABLE)' >/dev/null 2>&1; then \
	        "$$python" -m venv --clear $(VENV) && exit 0; \
	        rm -rf $(VENV); exit 1; \
	    fi; \
	done; \
	echo "Python 3.11 to 3.14 with its venv module is needed and none was found among: $(CANDIDATES)." \
	    "Install one, or name it: make PYTHON=/path/to/python3.12" >&2; \
	exit 1
