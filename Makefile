# Each target is one line on top of the `kairos` command, which checks what it is given.
# What it is given travels in the environment, so that no shell ever reads the name of a file, and
# under names of our own, since a shell holds some by itself (bash its GROUPS).
.DEFAULT_GOAL := help
VARIABLES := A ARGS B BASE BATCH DEBUG DRY_RUN FORMAT FRESH FROM JSON LIMITED MODEL MODEL_ID NAME \
	NAMES ON ONLY OUT REPEATS ROUNDS RUN SCALE SERVICE SLICES SLOTS SUITE TASK TEMPERATURES \
	THRESHOLD TO TRANSCRIPT TRUST_NOTEBOOK VIDEO WEIGHTS
# make itself hands on what stood on its command line, and expands it first: a file called
# $(shell ...).mp4 would be obeyed. So nothing of it is handed on but the values, which are text.
GIVEN := $(sort $(foreach name,$(filter-out -% MAKE%,$(.VARIABLES)),$(if \
	$(filter command,$(firstword $(origin $(name)))),$(name))))
unexport $(filter-out SHELL,$(VARIABLES) $(GIVEN))
# Left out where they are empty: then their defaults hold.
$(foreach name,$(VARIABLES),$(if $(value $(name)),\
	$(eval override export KAIROS_$(name) := $$(value $(name))),$(eval unexport KAIROS_$(name))))
# A name that means nothing to a target is answered by `kairos`, with the nearest that does.
override export KAIROS_GIVEN := $(GIVEN)
override export KAIROS_TARGETS := $(MAKECMDGOALS)

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Made last, so that an install that was cut short is done again.
INSTALLED := $(VENV)/.installed

.PHONY: help install demo bench base plan events status report compare reproduce export publish \
	serve fetch lab nano nano-score perf-base perf-vlm perf-events perf-serve chaos-serve \
	perf-repeats test test-services lint lock clean clean-all given

# The names of files are read by the shell alone, quoted, and lose what a terminal would obey.
help: ## This list
	@echo 'make TARGET [NAME=value ...]'; echo
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' Makefile | expand -t 16
	@echo; for kind in models videos suites base events slurm service; do \
		printf '%-10s' "$$kind:"; \
		for file in parameters/"$$kind"/*.yaml; do \
			name=$${file##*/}; [ ! -e "$$file" ] || printf ' %s' "$${name%.yaml}"; \
		done | LC_ALL=C tr -d '\001-\037\177'; \
		echo; \
	done
	@echo; echo 'VIDEO may be the path or the address of any file as well.'

install: given ## Create .venv with the pinned packages

demo: given ## Run the demo suite offline and write reports/demo/index.html
	@KAIROS_SUITE=demo KAIROS_MODEL= KAIROS_VIDEO= $(BIN)/kairos bench

bench: $(INSTALLED) ## MODEL=.. VIDEO=.. or SUITE=..; REPEATS=n FRESH=1 DRY_RUN=1 BASE=.. ON=slurm:..
	@$(BIN)/kairos bench

base: $(INSTALLED) ## VIDEO=.. BASE=..: what is in a video, without a VLM, and its page; FRESH=1 DRY_RUN=1
	@$(BIN)/kairos base

plan: $(INSTALLED) ## Same choices as bench: say what would run, and start nothing
	@$(BIN)/kairos plan

events: $(INSTALLED) ## MODEL=.. VIDEO=.. TASK=..: find events; FROM=1:30 TO=.. SLICES=n TEMPERATURES=0,0.7
	@$(BIN)/kairos events

status: $(INSTALLED) ## SUITE=..: how what was handed to a cluster by ON=slurm:NAME stands
	@$(BIN)/kairos status

report: $(INSTALLED) ## SUITE=..: write a report again from the runs there are
	@$(BIN)/kairos report

export: $(INSTALLED) ## SUITE=.. FORMAT=srt|vtt|coco|json|chapters|soccernet|csv OUT=folder; MODEL=.. VIDEO=..
	@$(BIN)/kairos export

publish: $(INSTALLED) ## SUITE=.. TO=cosmos|jsonl:folder: scenes for a site to ask; MODEL=.. VIDEO=..
	@$(BIN)/kairos publish

compare: $(INSTALLED) ## A=.. B=..: is B faster or slower than A? THRESHOLD=0.05 JSON=1
	@$(BIN)/kairos compare

reproduce: $(INSTALLED) ## RUN=..: make a run again from its record and say what differs; VIDEO=..
	@$(BIN)/kairos reproduce

serve: $(INSTALLED) ## Run the analysis service until Ctrl-C; SERVICE=nano ONLY=cpu
	@$(BIN)/kairos serve

fetch: $(INSTALLED) ## MODEL=.. or MODEL_ID=.. or BASE=..: download weights; VIDEO=https://..: a video
	@$(BIN)/kairos fetch

lab: $(INSTALLED) ## Open the notebooks in JupyterLab; ARGS='--allow-root --port 8890'
	@$(BIN)/kairos lab

nano: given ## Train the nano models anew: two hours or three on two cores; NAMES='yolo ast'
	@$(BIN)/python -m workshop.nano.make

nano-score: given ## Score the nano models on clips they have never seen
	@$(BIN)/python -m workshop.nano.score

perf-base: given ## Benchmarks of base processing; NAME=visual|stage|batches|memory ROUNDS=n
	@$(BIN)/python -m benchmarks.base

perf-vlm: given ## Benchmarks of captioning; NAME=captions|phi35|busy ROUNDS=n
	@$(BIN)/python -m benchmarks.vlm

perf-events: given ## Benchmarks of event spotting; NAME=scoring|slices ROUNDS=n; SOCCERNET_PYTHON before make
	@$(BIN)/python -m benchmarks.events

perf-serve: given ## Benchmarks of the service; NAME=residency|overhead|throughput|parents|soak ROUNDS=n
	@$(BIN)/python -m benchmarks.serve

chaos-serve: given ## Kill the service's processes while it works; every job must end once
	@$(BIN)/python -m benchmarks.serve --name chaos,chaos-nano

perf-repeats: given ## How often comparing is right; ROUNDS=n, or NAME=table from what is recorded
	@$(BIN)/python -m benchmarks.repeats

test: lint ## Lint, types and tests
	@$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

test-services: given ## The long tests: kills at every moment, other kernels, slots, a SLURM
	@$(BIN)/python -m pytest -m services --numprocesses 2 --dist load

lint: given ## Format, lint and types only
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/mypy

lock: given ## Pin requirements.txt anew from pyproject.toml
	$(VENV)/.uv/bin/uv pip compile --universal --no-emit-index-url --python-version 3.11 \
		--extra analysis --extra service --extra dev --upgrade --quiet --custom-compile-command 'make lock' \
		pyproject.toml -o requirements.txt

clean: $(INSTALLED) ## Remove reports and results that were set aside
	@$(BIN)/kairos clean

clean-all: $(INSTALLED) ## Remove reports and all runs as well
	@$(BIN)/kairos clean --all

given: $(INSTALLED)
	@$(BIN)/kairos given

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
