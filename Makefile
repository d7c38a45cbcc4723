# Commands for people and for CI. `make run` is the one to start with.
# PYTHON makes the environment: the first of these that is there.
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 \
	|| echo python3)
VENV := .venv
BIN := $(VENV)/bin
# The same as requires-python in pyproject.toml, but told before gigabytes are downloaded.
CHECK_PYTHON := import sys; (3, 11) <= sys.version_info < (3, 14) or sys.exit( \
	"movierec needs Python 3.11, 3.12 or 3.13, those that its TensorFlow is made for; got %s, " \
	"which is %s. Install one of them, then: make clean; make run PYTHON=python3.13" \
	% (sys.executable, sys.version.split()[0]))
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# three on two cores: while one waits, two work. In the order of tests/conftest.py, not files with
# many tests first: those are not the longest
PYTEST_ARGS ?= -n 3 --dist loadfile --no-loadscope-reorder
BENCH_ARGS ?=
UV ?= uv
LOCK := $(UV) pip compile --quiet --universal --python-version 3.11 \
	--generate-hashes --no-header --no-annotate --no-emit-index-url

.PHONY: bare docs pictures run test setup bench peers lab app check fuzz fuzz-runs kills mutation format \
	lock release clean

# Each stamp file records a finished installation, so that a second `make` installs nothing.
# Touching pyproject.toml (a new entry point, say) installs movierec anew.
$(VENV)/.base: requirements.txt pyproject.toml
	@$(if $(wildcard $(BIN)/python),$(BIN)/python,$(PYTHON)) -c '$(CHECK_PYTHON)'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing the base packages; this takes a minute or two."
	$(PIP) install --require-hashes -r requirements.txt
	$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.base requirements-dev.txt
	@echo "Installing what tests and JupyterLab need."
	$(PIP) install --require-hashes -r requirements-dev.txt
	@touch $@

$(VENV)/.bench: $(VENV)/.dev requirements-bench.txt
	@echo "Installing the recommenders that benchmarks compare with."
	$(PIP) install --require-hashes -r requirements-bench.txt
	@touch $@

run: $(VENV)/.base  ## all notebooks on the simulated sample
	$(BIN)/movierec notebooks --data sample --run reports/sample

test: $(VENV)/.dev  ## all tests
	$(BIN)/python -m pytest $(PYTEST_ARGS)

setup: $(VENV)/.bench  ## everything that tests and benchmarks need

# BENCH_ARGS: `--from PATH` where MovieLens-1M lies, sections, `--repeat N`; see benchmarks/README.md
bench: $(VENV)/.bench  ## speed and cost beside other recommenders
	$(BIN)/python -m benchmarks $(BENCH_ARGS)

# LensKit needs pandas 2, so that these stand in an environment of their own
build/peers/bin/python: benchmarks/peers.txt
	$(PYTHON) -m venv build/peers
	build/peers/bin/python -m pip --disable-pip-version-check --quiet install -r $<
	@touch $@

peers: build/peers/bin/python  ## LensKit and myFM, for the benchmark `curve`

lab: $(VENV)/.dev  ## JupyterLab on the notebooks
	$(BIN)/jupyter lab notebooks

app: $(VENV)/.dev  ## the page, on the newest run
	$(BIN)/movierec app

pictures: $(VENV)/.dev  ## README's pictures of the page, anew, on the sample; needs a browser
	$(BIN)/movierec train --data sample --recipe best --run build/pictures
	$(BIN)/python -m benchmarks pictures --run build/pictures

docs: $(VENV)/.dev  ## the reference of every module, as pages that open from the disk
	$(BIN)/python docs/api.py build/docs/api

check: $(VENV)/.dev  ## what CI checks besides the tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/nbstripout --keep-id --verify notebooks/*.ipynb
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/zizmor --offline --quiet --persona pedantic .github/workflows

BARE := build/bare
bare: $(VENV)/.base  ## the wheel alone, in an empty environment, does what the core is for
	rm -rf $(BARE) && mkdir -p $(BARE)
	$(BIN)/python -m venv $(BARE)/venv
	$(PIP) wheel --no-deps --no-build-isolation --wheel-dir $(BARE) .
	$(BARE)/venv/bin/python -m pip --disable-pip-version-check --quiet install \
		--require-hashes -r requirements-core.txt
	$(BARE)/venv/bin/python -m pip --disable-pip-version-check --quiet install --no-deps \
		$(BARE)/movierec-*.whl
	cd $(BARE) && MOVIEREC_PROGRESS=off venv/bin/python $(CURDIR)/tests/promises/bare.py

# What takes minutes to hours, and so is run by hand; CI runs a short form of the first two.
RUNS ?= 20000
KILLS ?= 100

$(VENV)/.robust: $(VENV)/.dev requirements-robust.txt
	@echo "Installing the fuzzer and the mutation tester."
	$(PIP) install --require-hashes -r requirements-robust.txt
	@touch $@

fuzz: $(VENV)/.robust  ## the readers on RUNS inputs that a fuzzer invents; Linux
	mkdir -p build/fuzz && cd build/fuzz && PYTHONPATH=$(CURDIR):$(CURDIR)/tests $(abspath $(BIN))/python \
		$(CURDIR)/tests/promises/fuzz/fuzz_readers.py -runs=$(RUNS) -max_len=4096

fuzz-runs: $(VENV)/.robust  ## run folders, histories, the page's requests: RUNS inputs; Linux
	mkdir -p build/fuzz && cd build/fuzz && PYTHONPATH=$(CURDIR):$(CURDIR)/tests $(abspath $(BIN))/python \
		$(CURDIR)/tests/promises/fuzz/fuzz_runs.py -runs=$(RUNS) -max_len=8192

kills: $(VENV)/.dev  ## KILLS kills of each kind of writer
	$(BIN)/python tests/promises/faults/kills.py --kills $(KILLS)

mutation: $(VENV)/.robust  ## small changes of the core, which the tests must notice; SAMPLE of them
ifdef SAMPLE
	$(BIN)/python tests/promises/mutants.py $(SAMPLE)
else
	$(BIN)/mutmut run --max-children 1
	$(BIN)/mutmut results
endif

format: $(VENV)/.dev  ## mends what `check` can mend by itself
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/nbstripout --keep-id notebooks/*.ipynb

# Versions and hashes for every platform; needs uv. Names no registry.
lock:
	$(LOCK) pyproject.toml --group build $(foreach e,network notebooks explorer page posters,--extra $(e)) \
		-o requirements.txt
	$(LOCK) pyproject.toml -c requirements.txt -o requirements-core.txt
	$(LOCK) pyproject.toml --group build --group test --group docs --extra all --extra lab \
		-c requirements.txt -o requirements-dev.txt
	$(LOCK) --group fuzz --group mutation -c requirements-dev.txt -o requirements-robust.txt
	$(LOCK) --group bench -c requirements-dev.txt -o requirements-bench.txt

release:  ## is this commit a release? Every Python in a clean clone, and what would be published
	.ci/release

clean:
	rm -rf $(VENV) build dist mutants .mypy_cache .pytest_cache .ruff_cache .hypothesis
