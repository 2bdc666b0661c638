# Each target is one line on top of the `kairos` command, which checks what it is given.
# What it is given travels in the environment, so that no shell ever reads the name of a file.
.DEFAULT_GOAL := help
export KAIROS_MODEL := $(value MODEL)
export KAIROS_VIDEO := $(value VIDEO)
export KAIROS_SUITE := $(value SUITE)
export KAIROS_BASE := $(value BASE)
export KAIROS_REPEATS := $(value REPEATS)
export KAIROS_FRESH := $(value FRESH)
export KAIROS_DRY_RUN := $(value DRY_RUN)
export KAIROS_SLOTS := $(value SLOTS)
export KAIROS_WEIGHTS := $(value WEIGHTS)
export KAIROS_MODEL_ID := $(value MODEL_ID)
export KAIROS_DEBUG := $(value DEBUG)
export KAIROS_NAME := $(value NAME)
export KAIROS_FORMAT := $(value FORMAT)
export KAIROS_TRANSCRIPT := $(value TRANSCRIPT)
export KAIROS_OUT := $(value OUT)
# Left out where they are not given: then their defaults hold.
ifdef ROUNDS
export KAIROS_ROUNDS := $(value ROUNDS)
endif
ifdef SCALE
export KAIROS_SCALE := $(value SCALE)
endif
export KAIROS_LIMITED := $(value LIMITED)
export KAIROS_A := $(value A)
export KAIROS_B := $(value B)
export KAIROS_THRESHOLD := $(value THRESHOLD)
export KAIROS_JSON := $(value JSON)
export KAIROS_RUN := $(value RUN)

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Made last, so that an install that was cut short is done again.
INSTALLED := $(VENV)/.installed
names = $(sort $(basename $(notdir $(wildcard parameters/$(1)/*.yaml))))

.PHONY: help install demo bench plan report compare reproduce export fetch lab nano nano-score \
	perf-base perf-vlm perf-repeats test test-services lint lock clean clean-all

help: ## This list
	@echo 'make TARGET [NAME=value ...]'; echo
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16
	@echo; echo 'models:       $(call names,models)'
	@echo 'videos:       $(call names,videos), or the path of any file'
	@echo 'suites:       $(call names,suites)'
	@echo 'base profiles: $(call names,base)'

install: $(INSTALLED) ## Create .venv with the pinned packages

demo: $(INSTALLED) ## Run the demo suite offline and write reports/demo/index.html
	@KAIROS_SUITE=demo KAIROS_MODEL= KAIROS_VIDEO= $(BIN)/kairos bench

bench: $(INSTALLED) ## MODEL=.. VIDEO=.. or SUITE=..; REPEATS=n FRESH=1 DRY_RUN=1 BASE=.. WEIGHTS=dummy
	@$(BIN)/kairos bench

plan: $(INSTALLED) ## Same choices as bench: say what would run, and start nothing
	@$(BIN)/kairos plan

report: $(INSTALLED) ## SUITE=..: write a report again from the runs there are
	@$(BIN)/kairos report

export: $(INSTALLED) ## SUITE=.. FORMAT=srt|vtt|coco|json OUT=folder; MODEL=.. VIDEO=.. TRANSCRIPT=1
	@$(BIN)/kairos export

compare: $(INSTALLED) ## A=.. B=..: is B faster or slower than A? THRESHOLD=0.05 JSON=1
	@$(BIN)/kairos compare

reproduce: $(INSTALLED) ## RUN=..: make a run again from its record and say what differs
	@$(BIN)/kairos reproduce

fetch: $(INSTALLED) ## MODEL=.. or MODEL_ID=..: download its weights and those of its base profile
	@$(BIN)/kairos fetch

lab: $(INSTALLED) ## Open the notebooks in JupyterLab; ARGS='--allow-root --port 8890'
	@$(BIN)/kairos lab $(ARGS)

nano: $(INSTALLED) ## Train the nano models anew: an hour or two on two cores; NAMES='yolo ast'
	@$(BIN)/python -m kairos_lib.nano.make $(NAMES)

nano-score: $(INSTALLED) ## Score the nano models on clips they have never seen
	@$(BIN)/python -m kairos_lib.nano.score

perf-base: $(INSTALLED) ## Benchmarks of base processing; NAME=visual|stage|batches|memory ROUNDS=n
	@$(BIN)/python -m benchmarks.base

perf-vlm: $(INSTALLED) ## Benchmarks of captioning; NAME=captions|phi35 ROUNDS=n
	@$(BIN)/python -m benchmarks.vlm

perf-repeats: $(INSTALLED) ## How often comparing is right; ROUNDS=n, or NAME=table from what is recorded
	@$(BIN)/python -m benchmarks.repeats

test: lint ## Lint, types and tests
	@$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

test-services: $(INSTALLED) ## The long tests: kills at every moment
	@$(BIN)/python -m pytest -m services --numprocesses 2 --dist load

lint: $(INSTALLED) ## Format, lint and types only
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy

lock: $(INSTALLED) ## Pin requirements.txt anew from pyproject.toml
	$(VENV)/.uv/bin/uv pip compile --universal --no-emit-index-url --python-version 3.11 \
		--extra dev --upgrade --quiet --custom-compile-command 'make lock' \
		pyproject.toml -o requirements.txt

clean: $(INSTALLED) ## Remove reports and results that were set aside
	@$(BIN)/kairos clean

clean-all: $(INSTALLED) ## Remove reports and all runs as well
	@$(BIN)/kairos clean --all

# uv lives inside .venv: nothing on the machine is changed. Without compiled bytecode, importing
# torch and transformers costs three times the time in every kernel.
$(INSTALLED): requirements.txt pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
		{ echo 'make: Python 3.11 or newer with venv is needed: set PYTHON=' >&2; exit 1; }
	@$(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ rm -rf $(VENV); echo 'make: Python 3.11 or newer is needed: set PYTHON=' >&2; exit 1; }
	@test -x $(VENV)/.uv/bin/uv || { $(PYTHON) -m venv $(VENV)/.uv && \
		$(VENV)/.uv/bin/pip install --quiet --disable-pip-version-check uv; }
	@$(VENV)/.uv/bin/uv pip sync --quiet --python $(BIN)/python --compile-bytecode requirements.txt
	@$(VENV)/.uv/bin/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@
