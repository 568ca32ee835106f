# Needs git, make and Python 3.11 or newer with pip. Everything else is installed here, into
# .tools and .venv: nothing outside this folder changes, but for Chromium and PostgreSQL (see
# `make chromium` and `make postgresql`).

PYTHON ?= $(firstword $(foreach name,python3.11 python3.12 python3.13 python3,$(shell command -v $(name) 2>/dev/null)))
UV := .tools/bin/uv
RUN := $(UV) run --no-sync
export UV_PYTHON_DOWNLOADS := never
export UV_PYTHON := $(shell $(PYTHON) -c 'import sys; print(sys.executable)' 2>/dev/null)
unexport VIRTUAL_ENV
# Without bytecode every process of a test compiles the frameworks anew: seconds each time.
unexport PYTHONDONTWRITEBYTECODE
# The releases that `make test-matrix` plays: the oldest, some between, the locked one.
LIVEKIT ?= 1.5.0 1.5.17 1.6.10 1.7.1 1.8.9
PIPECAT ?= 1.4.0 1.8.1 1.14.0

# Most tests wait more than they compute. The folders come first: their files take longest.
AT_ONCE := -n $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1) --dist loadfile --no-loadscope-reorder

.PHONY: help demo test test-exhaustive test-matrix lint typecheck build bench screenshots format chromium postgresql servers clean

help:
	@echo "make demo       a voice call, two text chats and an outage, on a page of your own"
	@echo "make test       the test suite"
	@echo "make test-exhaustive  proofs that take minutes: every rule of the receiver, crashes, faults"
	@echo "make test-matrix  the plugins' tests against several versions of their frameworks"
	@echo "make screenshots  pictures of every view of the receiver's page, in docs/screenshots"
	@echo "make lint | typecheck | build | bench | format | clean"

$(UV):
	@$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11)' 2>/dev/null || \
		{ echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11 ..."; exit 1; }
	@echo "installing uv into .tools"
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check --root-user-action=ignore \
		--target .tools "uv==0.13.9"

.venv/.ready: $(UV) uv.lock pyproject.toml plugins/livekit/pyproject.toml \
		plugins/pipecat/pyproject.toml examples/worker/pyproject.toml
	$(UV) sync --quiet --frozen --all-packages
	@touch $@

demo: .venv/.ready
	@$(RUN) python examples/worker/demo.py $(if $(ONCE),--once)

test: .venv/.ready chromium postgresql servers
ifdef ARGS
	$(RUN) pytest $(AT_ONCE) $(ARGS)
else
	$(RUN) pytest $(AT_ONCE) -m "not exhaustive" --ignore=tests/live
	$(RUN) pytest tests/live  # by itself: these calls run in real time
endif

test-exhaustive: .venv/.ready chromium postgresql servers
	$(RUN) pytest $(AT_ONCE) -m exhaustive

test-matrix: $(UV)
	@$(if $(LIVEKIT),$(PYTHON) tests/matrix.py livekit $(LIVEKIT) -- $(AT_ONCE) $(or $(ARGS),tests/livekit))
	@$(if $(PIPECAT),$(PYTHON) tests/matrix.py pipecat $(PIPECAT) -- $(AT_ONCE) $(or $(ARGS),tests/pipecat))

lint: .venv/.ready
	$(RUN) ruff check .
	$(RUN) ruff format --check .

format: .venv/.ready
	$(RUN) ruff check --fix .
	$(RUN) ruff format .

typecheck: .venv/.ready
	$(RUN) mypy

build: $(UV)
	@rm -rf dist
	$(UV) build --quiet --all-packages --out-dir dist
	@$(PYTHON) tests/wheels.py dist

bench: .venv/.ready
	@$(RUN) python tests/bench/run.py $(if $(NAME),--name $(NAME)) $(if $(README),--readme)

screenshots: .venv/.ready chromium
	@$(RUN) python scripts/screenshots.py

# The page is tested in a real browser. Root on Debian gets it here; others are told the command.
chromium:
	@command -v chromium >/dev/null 2>&1 || { \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then \
			echo "installing chromium for the browser tests"; \
			{ apt-get -qq update && DEBIAN_FRONTEND=noninteractive \
				apt-get -qq install -y --no-install-recommends chromium >/dev/null; } \
				|| echo "chromium could not be installed; the browser tests are skipped"; \
		else \
			echo "the browser tests are skipped without chromium; to run them, first run:"; \
			echo "    sudo apt-get update && sudo apt-get install -y chromium"; \
		fi; }

# The outbox is tested on a real server, which the tests start for themselves; so the package must
# not make or start one. Root on Debian gets it here; others are told the command.
postgresql:
	@{ command -v postgres || ls /usr/lib/postgresql/*/bin/postgres; } >/dev/null 2>&1 || { \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then \
			echo "installing postgresql for the outbox tests"; \
			{ apt-get -qq update && DEBIAN_FRONTEND=noninteractive \
				apt-get -qq install -y --no-install-recommends postgresql-common >/dev/null && \
				echo "create_main_cluster = false" >>/etc/postgresql-common/createcluster.conf && \
				DEBIAN_FRONTEND=noninteractive \
				apt-get -qq install -y --no-install-recommends postgresql >/dev/null; } \
				|| echo "postgresql could not be installed; its tests are skipped"; \
		else \
			echo "the tests on PostgreSQL are skipped without it; to run them, first run:"; \
			echo "    sudo apt-get update && sudo apt-get install -y postgresql"; \
		fi; }

# Calls over WebRTC and uploads of recordings are tested on real servers. They are built here where
# there is Go; without it, those tests are skipped.
servers:
	@scripts/servers

clean:
	rm -rf .venv .tools dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
