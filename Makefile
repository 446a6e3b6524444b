# Two commands matter: `make demo` (see it work on real video) and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# torch comes first and alone, so that no other package chooses another build of it.
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
DATA ?=

.PHONY: demo test lint bench clean

demo: $(VENV)/.demo
	$(BIN)/kinoscope models pull
	$(BIN)/python examples/fetch_samples.py demo bikes.mp4 bigbuckbunny.mp4
	$(BIN)/kinoscope analyze demo/bikes.mp4 demo/bigbuckbunny.mp4 --out demo/out
	@echo "Open demo/out/bikes/report.html and demo/out/bigbuckbunny/report.html in a browser."

test: $(VENV)/.dev
	$(BIN)/kinoscope models pull
	$(BIN)/pytest

lint: $(VENV)/.dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

# DATA=folder measures on your own video as well; see benchmarks/README.md.
bench: $(VENV)/.dev
	$(BIN)/python benchmarks/run.py $(if $(DATA),--data $(DATA))

clean:
	rm -rf $(VENV) demo runs build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

$(VENV)/.demo: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) torch==2.13.0
	$(PIP) -e '.[speech,export]'
	touch $@

$(VENV)/.dev: $(VENV)/.demo
	$(PIP) -e '.[speech,export,dev]'
	touch $@
