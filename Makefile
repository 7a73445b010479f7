# Everything runs in .venv, which is made when it is first needed; `make` alone lists what there is.

PYTHON ?= python3
NAME ?=

VENV := .venv
BIN := $(VENV)/bin
# one thread a worker: two workers with a thread for every core each would wait for one another
PYTEST := OMP_NUM_THREADS=$${OMP_NUM_THREADS:-1} $(BIN)/python -m pytest -q -n 2
STAMPS := $(VENV)/.runtime $(VENV)/.dev $(VENV)/.peers

# build environments (hatchling and what it needs) take the same pins; older and newer pip read different names.
# pip cuts these at spaces, which the path of this folder may have: hence relative names.
export PIP_CONSTRAINT := $(strip constraints.txt $(PIP_CONSTRAINT))
export PIP_BUILD_CONSTRAINT := constraints.txt
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# two targets must not change one environment at the same time
.NOTPARALLEL:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
.PHONY: help demo test test-slow check bench clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: $(VENV)/.runtime  ## train on text that Python carries and write samples; needs no data
	$(BIN)/recurra demo

test: $(VENV)/.dev  ## run the fast tests
	$(PYTEST)

test-slow: $(VENV)/.peers  ## run the tests that take minutes, and those against Keras, Flax and ONNX
	$(PYTEST) -m slow

check: $(VENV)/.dev  ## check format, style, types, imports between rooms, and generated pages
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m ruff check .
	$(BIN)/python -m mypy
	$(BIN)/lint-imports
	$(BIN)/python docs/generate_errors.py --check
	$(BIN)/python docs/generate_cells.py --check
	$(BIN)/python docs/generate_explanations.py --check

bench: $(VENV)/.dev  ## run every benchmark, or one with NAME=its-file-name-without-.py
	@$(run-benchmarks)

clean:  ## remove .venv, caches and built packages; runs and results stay
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis dist build
	find $(wildcard src tests docs benchmarks) -type d -name __pycache__ -prune -exec rm -rf {} +

# A stamp is the last thing written, so an environment whose making was interrupted is made anew.
$(VENV)/.runtime: pyproject.toml constraints.txt
	@$(check-python)
	@$(make-venv)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	@touch $@

$(VENV)/.dev: EXTRAS := dev
$(VENV)/.peers: EXTRAS := dev,peers
$(VENV)/.dev $(VENV)/.peers: pyproject.toml constraints.txt
	@$(check-python)
	@$(make-venv)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[$(EXTRAS)]'
	# cells of others to test with; what it would bring along is not needed for them
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --no-deps torchrecurrent
	@touch $(VENV)/.runtime $(VENV)/.dev $@

define check-python
$(PYTHON) -c '' 2>/dev/null \
	|| { echo "make: expected a Python 3.11 or newer called $(PYTHON), got none; name one with make PYTHON=..." >&2; exit 1; }; \
$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	|| { echo "make: expected Python 3.11 or newer, got $$($(PYTHON) --version); name one with make PYTHON=..." >&2; exit 1; }; \
$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
	|| { echo "make: expected the modules venv and ensurepip, got a Python without; install its venv package" >&2; exit 1; }
endef

# an environment is added to only when its last making came to its end
define make-venv
if [ -z "$(wildcard $(STAMPS))" ] || ! $(BIN)/python -c '' 2>/dev/null; then \
	echo "making $(VENV); this fetches PyTorch and may take minutes"; \
	$(PYTHON) -m venv --clear $(VENV) || exit 1; \
fi; \
rm -f $(STAMPS)
endef

define run-benchmarks
scripts="$(if $(NAME),benchmarks/$(NAME).py,$(sort $(wildcard benchmarks/[a-z]*.py)))"; \
if [ -z "$$scripts" ]; then echo "make: expected scripts in benchmarks/, got none" >&2; exit 1; fi; \
failed=""; \
for script in $$scripts; do \
	if [ ! -f "$$script" ]; then \
		echo "make: expected NAME to be one of $(sort $(basename $(notdir $(wildcard benchmarks/[a-z]*.py)))), got $(NAME)" >&2; \
		exit 1; \
	fi; \
	echo "== $$script"; \
	$(BIN)/python "$$script" || failed="$$failed $$script"; \
done; \
if [ -n "$$failed" ]; then echo "make: these benchmarks failed:$$failed" >&2; exit 1; fi
endef
