# Two commands matter: `make demo` (see it work on real video) and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# torch comes first and alone, so that no other package chooses another build of it.
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
VIDEO ?=
TAG ?=

.PHONY: demo test test-fast lint docs dist bench keras-parity pytensor-example clean

demo: $(VENV)/.demo
	$(BIN)/kinoscope models pull
	$(BIN)/python examples/fetch_samples.py demo bikes.mp4 bigbuckbunny.mp4 carphone_pristine.mp4
	$(BIN)/kinoscope analyze demo --out demo/out
	@echo "Open demo/out/bikes/report.html in a browser; the others lie beside it."

# Without a network, the tests that need weights skip and say so.
test: $(VENV)/.dev
	-$(BIN)/kinoscope models pull
	$(BIN)/pytest --numprocesses auto

# In under a minute: no weights, no browser, no servers, nothing slow.
test-fast: $(VENV)/.dev
	$(BIN)/pytest --numprocesses auto -m "not slow and not browser and not network and not models"

lint: $(VENV)/.dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tools/check_words.py

# The documentation site, in site/; a link that leads nowhere fails.
docs: $(VENV)/.dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	$(BIN)/python tools/check_links.py site

# The wheel and the source archive, checked, in dist/. TAG=v1.2.3 also compares the version with a tag.
dist: $(VENV)/.dev
	rm -rf dist
	$(BIN)/python -m build --outdir dist
	$(BIN)/twine check --strict dist/*
	$(BIN)/python tools/check_dist.py dist $(if $(TAG),--tag $(TAG))

# VIDEO=file measures on your own video; see benchmarks/README.md.
bench: $(VENV)/.dev
	$(BIN)/python benchmarks/run.py $(if $(VIDEO),--video $(VIDEO))

# Makes the golden features anew with real TensorFlow, in an environment of its own, and compares ours with them.
keras-parity: $(VENV)/.dev
	$(PYTHON) -m venv $(VENV)-tensorflow
	$(VENV)-tensorflow/bin/python -m pip install --quiet --disable-pip-version-check tensorflow-cpu
	$(VENV)-tensorflow/bin/python tests/models/formats/keras_parity/make.py
	$(BIN)/pytest tests/models/formats/test_keras.py

# Trains a video GAN in PyTensor, in an environment of its own, and checks that PyTorch makes the same clips of its weights.
pytensor-example: $(VENV)/.demo
	$(PYTHON) -m venv $(VENV)-pytensor
	$(VENV)-pytensor/bin/python -m pip install --quiet --disable-pip-version-check 'pytensor>=3'
	$(VENV)-pytensor/bin/python examples/pytensor_video_gan.py train
	$(BIN)/python examples/pytensor_video_gan.py check

clean:
	rm -rf $(VENV) $(VENV)-tensorflow $(VENV)-pytensor examples/out demo runs build dist site .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

$(VENV)/.demo: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) torch==2.13.0
	$(PIP) -e '.[speech,export]'
	touch $@

$(VENV)/.dev: $(VENV)/.demo
	$(PIP) -e '.[speech,export,train,explain,keras,transformers,library,docs,dev]'
	touch $@
