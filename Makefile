# A new user needs only `make demo` and `make test`. Each target first installs what it needs in .venv.
PYTHON ?= python3
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help setup lock demo test coverage check docs reference drill bench gpu shift study table why transfer golden clean

help:  ## list the targets
	@awk -F':.*## ' '/^[a-z]+:.*## /{printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.venv/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --quiet --disable-pip-version-check -c constraints.txt -e '.[all,dev]'
	@touch $@

setup: .venv/.ready  ## make .venv and install everything (about 2 GB, one to three minutes)

lock:  ## renew constraints.txt, the versions that setup installs: the newest that pyproject.toml allows
	rm -rf build/lock
	$(PYTHON) -m venv build/lock
	build/lock/bin/pip install --quiet --disable-pip-version-check '.[all,dev,docs]'
	build/lock/bin/python infra/lock.py > build/constraints.txt
	mv build/constraints.txt constraints.txt
	rm -rf build/lock

demo: setup  ## generate domains, serve S3, train with two Ray workers, judge, write the report
	$(BIN)/rfmeta demo jobs/configs/demo.yaml

test: setup  ## run the test suite, in two processes
	$(BIN)/python -m pytest -n 2

coverage: setup  ## run the test suite and measure which lines it runs; fails below 90 %
	$(BIN)/python -m pytest -n 2 --cov=rfmeta_dist --cov-report=term:skip-covered --cov-fail-under=90

check: setup  ## check lint rules, format, types and import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

.venv/.docs: .venv/.ready pyproject.toml
	$(BIN)/pip install --quiet --quiet --disable-pip-version-check -c constraints.txt -e '.[docs]'
	@touch $@

docs: .venv/.docs  ## build the documentation site in build/docs; a broken link fails
	$(BIN)/python -m infra.docs build

reference: setup  ## write the reference pages that are generated from the program
	$(BIN)/python -m infra.docs reference

golden: setup  ## compare the distributed step with its reference figures, with one and two processes
	$(BIN)/rfmeta verify --golden tests/verification/rfmeta_float64.json --workers 1,2

drill: setup  ## run the slow tests: killed workers and servers, every proof of parity, leak probes
	$(BIN)/python -m pytest -m drill

bench: setup  ## run the benchmarks; each prints ratios measured in one run (about 40 minutes on two cores)
	$(BIN)/python -m bench.startup
	$(BIN)/python -m bench.step --out bench/results/step.json
	$(BIN)/python -m bench.scaling --out bench/results/scaling.json
	$(BIN)/python -m bench.overhead --out bench/results/overhead.json
	$(BIN)/python -m bench.stream --out bench/results/stream.json
	$(BIN)/python -m bench.readers --out bench/results/readers.json
	$(BIN)/python -m bench.lanes --out bench/results/lanes.json
	$(BIN)/python -m bench.batch_norm --out bench/results/batch_norm.json
	$(BIN)/python -m bench.manifest --out bench/results/manifest.json
	$(BIN)/python -m bench.comparison --out bench/results/comparison.json
	$(BIN)/python -m bench.features --out bench/results/features.json

gpu: setup  ## prove and time the engine on one NVIDIA GPU in at most 8 minutes; says what is missing without one
	$(BIN)/python -m bench.gpu --device cuda --out bench/results/gpu.json

shift: setup  ## measure how the generated domains differ: train on each, test on each, print a matrix
	$(BIN)/python -m bench.shift --out bench/results/shift.json

study: setup  ## compare the learning rules on generated domains; continues if interrupted (about 3 hours)
	$(BIN)/python -m bench.study

table: setup  ## train and judge all methods and make the paper's tables; continues if interrupted (several hours)
	$(BIN)/rfmeta synth --out runs/table/data --scale study --rho 0
	@status=0; \
	$(BIN)/rfmeta leave-one-out jobs/configs/table.yaml --methods all --seeds 0,1,2 || status=$$?; \
	$(BIN)/rfmeta leave-one-out jobs/configs/table.yaml --methods all --seeds 0,1,2 \
		--set evaluation.protocol=limited-source --sources M,I || status=$$?; \
	exit $$status

why: setup  ## after the study: effect of the inner update, longer training, other inner rates (about 40 minutes)
	$(BIN)/python -m bench.why

transfer: setup  ## train on some kinds of recapture and judge on others; continues if interrupted (about 40 minutes)
	$(BIN)/python -m bench.transfer

clean:  ## remove the environment and the demo's runs
	rm -rf .venv runs
