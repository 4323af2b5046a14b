# Every target does its own set-up: a fresh machine needs python >= 3.11 and make, nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test lint docs clean

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[render,video,imagenet,dev]'
	touch $@

demo: $(READY)   ## the main job on embedded hands, minutes on two CPU cores
	$(BIN)/latent-hands demo

test: $(READY) lint   ## what continuous integration runs
	$(BIN)/pytest -n 2

lint: $(READY)
	$(BIN)/ruff check src tests benchmarks
	$(BIN)/ruff format --check src tests benchmarks
	$(BIN)/pyright

docs: $(READY)   ## the README's and docs' snippets are run, their links to code checked
	$(BIN)/pytest tests/test_docs.py

clean:
	rm -rf $(VENV) runs
