# Everything a newcomer or CI needs; each target sets up .venv by itself. Needs python3 (or uv) and a package index.
# Works with GNU make 3.81 and newer.

PY := .venv/bin/python
RUNS ?= runs
DEMO := $(RUNS)/demo
DEMO_TRAIN ?= --preset demo --out $(DEMO) --overwrite
DEMO_RUN ?= --net $(DEMO)/mksgn.net
# Two workers on two cores; tests of one file share a worker, and with it their fixtures. tests/conftest.py puts the
# files in order, the longest first.
JOBS ?= 2
PYTEST_ARGS ?=
# Tests that call what most other tests need compiled.
KERNELS := tests/emulator/test_emulator.py tests/events tests/nn/test_neuron.py tests/nn/test_slayer_neuron.py

# The environment of another project must not leak into ours.
unexport VIRTUAL_ENV CONDA_PREFIX PYTHONPATH PYTHONHOME PYENV_VERSION
# Without .pyc files each of the many processes compiles torch, Lava and hypothesis again: seconds every time.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo test rest kernels lint docs wheel lock clean

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 16

setup: ## create .venv: CPython 3.10, the hashed requirements.lock, this project (editable)
	@sh .ci/setup

demo: setup ## train a small network on synthetic skeletons, write mksgn.net, run it on Lava processes
	@echo 'Two steps: training takes about three minutes on two cores; then Lava runs the test set in half a minute.'
	$(PY) train/train_slayer.py $(DEMO_TRAIN)
	$(PY) deploy/run_lava.py $(DEMO_RUN)

test: setup ## run the tests (JOBS=2 workers, PYTEST_ARGS=... for pytest)
	$(PY) -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

rest: ## the tests that neither make kernels nor make wheel runs
	$(MAKE) test PYTEST_ARGS="$(addprefix --ignore=,$(KERNELS) tests/test_installed.py) $(PYTEST_ARGS)"

kernels: setup ## compile what numba keeps, so that the workers of make test do not all do it
	$(PY) -m pytest -q -n $(JOBS) --dist loadfile $(KERNELS)

lint: setup ## ruff, mypy, and the direction of imports (import-linter)
	$(PY) -m ruff check .
	$(PY) -m mypy $(wildcard mksgn lava_models train deploy benchmarks)
	.venv/bin/lint-imports

docs: setup ## build the documentation, API reference included, into build/docs; open index.html there
	@sh .ci/setup --uv pip install --quiet --python $(PY) --constraint requirements.lock -r pyproject.toml --extra docs
	NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs build --quiet --strict
	@echo 'docs: build/docs/index.html; with search: $(PY) -m http.server --directory build/docs'

wheel: setup ## build the wheel, and test it: here with Lava, and on the newest CPython without any extra
	@sh .ci/wheel

lock: ## resolve requirements.lock and .ci/newest.txt anew from pyproject.toml; keep versions where they still fit
	@sh .ci/setup --uv pip compile --quiet --universal --generate-hashes --python-version 3.10 --extra lava --extra dev \
	    pyproject.toml -o requirements.lock --no-header --no-emit-index-url $(LOCK_ARGS)
	@sh .ci/setup --uv pip compile --quiet --no-config --universal --generate-hashes --python-version 3.11 --extra test \
	    pyproject.toml -o .ci/newest.txt --no-header --no-annotate --no-emit-index-url $(LOCK_ARGS)

clean: ## remove what these targets made, but not runs/: .venv, .tools, caches, build outputs
	rm -rf .venv .tools build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -type d -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +
