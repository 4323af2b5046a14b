# Every target sets up .venv by itself. A new machine needs only make and Python 3.11 or later.
PYTHON ?= python3
JOBS ?= 2
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: help demo test lint docs dist clean

help:   ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## */\t/' | expand -t 10

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[render,video,imagenet,studio,onnx,docs,dev]'
	touch $@

demo: $(READY)   ## run the whole path on rendered hands: minutes on two processor cores
	$(BIN)/latent-hands demo

test: $(READY) lint   ## run everything that continuous integration runs
	$(BIN)/pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder

lint: $(READY)   ## check style and types
	$(BIN)/ruff check src tests benchmarks docs
	$(BIN)/ruff format --check src tests benchmarks docs
	$(BIN)/pyright

docs: $(READY)   ## build the documentation site in site/, offline
	$(BIN)/python docs/site/build.py

dist:   ## build wheel and source archive, and try the wheel in an empty environment
	PYTHON=$(PYTHON) .ci/dist

clean:   ## remove the environment, all runs and the site
	rm -rf $(VENV) runs build dist site
