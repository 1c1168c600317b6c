# make demo   tiles to leaderboard on the demo data: the first thing to run
# make test   lint, types and the test suite
# make gpu-check   what only a CUDA device can show, in one table; with the Python of PYTHON, nothing is installed
# make lint | format | docs | clean

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
DEMO_MODELS := constant,mean-color,small-pixels,color-stats,hed-stats,random-vit-s,efficientnet-lite0

.PHONY: demo test gpu-check lint format docs clean

demo: $(INSTALLED)
	$(BIN)/plismbench extract --dataset demo --model $(DEMO_MODELS)
	$(BIN)/plismbench evaluate --dataset demo
	$(BIN)/plismbench leaderboard --dataset demo
	$(BIN)/plismbench report --dataset demo

test: lint
	$(BIN)/python -m pytest --numprocesses logical --maxprocesses 4 --dist worksteal

gpu-check:
	PYTHONPATH=.:benchmarks:tests$${PYTHONPATH:+:$$PYTHONPATH} $(PYTHON) scripts/gpu_check.py

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(INSTALLED)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(INSTALLED)
	$(BIN)/mkdocs build --strict

clean:
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist site

$(INSTALLED): pyproject.toml examples/efficientnet-lite0/pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/pip install --quiet --editable . --editable examples/efficientnet-lite0 --group dev \
		|| { echo "Installing needs 15 GB free; pip calls a full disk a broken connection. Free are:" >&2; \
			df -h . "$${TMPDIR:-/tmp}" >&2; exit 1; }
	touch $@
