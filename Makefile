# The verbs of this project. `make` alone lists them; every verb that needs the virtual environment sets it up first.
#
# Override on the command line:
#   PYTHON=python3.13   the interpreter that .venv is made with (3.11 or newer)
#   ARGS="-k session"   further arguments for the command behind the verb
#   MUTANTS=500         how many mutants of the practice CSMS `make selftest` draws
#   DEFECTS=500         how many of its defects `make test` draws
#   FULL=1              `make test`, `make unit` and `make selftest` try all of what they try some of otherwise
#   DIST=/tmp/dist      where `make dist` puts the wheel
#   RUNS=10             how often `make flake` repeats the tests

PYTHON ?= python3
ARGS ?=
RUNS ?= 5
DIST ?= dist
MUTANTS ?= 60
DEFECTS ?= 120

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/installed
ROOMS := $(wildcard ocppj config mqtt evidence fixtures drivers analysis loadtest interop_suite reports plugstorm tests benchmarks)

# Hundreds of tests start a process of their own; without bytecode each would compile the whole source again.
override export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
# Only the two halves of `make test` run at the same time.
ifeq ($(filter beside,$(MAKECMDGOALS)),)
.NOTPARALLEL:
endif
.PHONY: help setup demo test beside bench lint types coverage unit selftest flake format lock dist test-deploy image-test schemas clean

help: ## List the verbs
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

# The stamp is written last and holds the checksums of what was installed, and where: a changed lock installs again, and
# an environment without a stamp of this place (cut short, or moved) is made anew. The lock is complete, so nothing is
# resolved: older pips look at the newest release of a package that is asked for with an extra, and refuse it.
setup: ## Build .venv with everything in it; does nothing when it is up to date
	@want="$$(cksum requirements.lock pyproject.toml hatch_build.py) $(CURDIR)"; have="$$(cat $(STAMP) 2>/dev/null)" || true; \
	fail() { echo "make setup: $$1" >&2; exit 2; }; \
	$(BIN)/python -c 'import pip' 2>/dev/null || have=; \
	[ "$$have" != "$$want" ] || exit 0; \
	case "$$have" in *" $(CURDIR)") ;; *) \
	  $(PYTHON) -c '' 2>/dev/null || fail "'$(PYTHON)' does not run; name a Python 3.11 or newer: make setup PYTHON=python3.12"; \
	  $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    fail "$$($(PYTHON) -V 2>&1) is too old, 3.11 is needed; name a newer one: make setup PYTHON=python3.12"; \
	  $(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
	    fail "$$($(PYTHON) -V) lacks its venv module; install it (Debian, Ubuntu: apt install python3-venv)"; \
	  echo "make setup: creating $(VENV) with $$($(PYTHON) -V)"; \
	  rm -rf $(VENV) && $(PYTHON) -m venv $(VENV) || fail "$(VENV) cannot be made";; \
	esac; \
	set -e; \
	rm -f $(STAMP); \
	echo "make setup: installing what requirements.lock lists"; \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements.lock; \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .; \
	printf '%s\n' "$$want" > $(STAMP)

# Both parts run even if the first finds something; the worse result counts, and Ctrl-C ends everything.
demo: setup ## Storm the practice CSMS for a minute, and say where the report is
	@run=runs/$$(date -u +%Y%m%dT%H%M%SZ)-demo; status=0; \
	keep() { [ $$1 -lt 128 ] || exit $$1; [ $$1 -le $$status ] || status=$$1; }; \
	$(BIN)/plugstorm interop --jobs 4 --out $$run/interop || keep $$?; \
	$(BIN)/plugstorm load --stations 200 --ocpp 1.6 --ocpp 2.0.1 --duration 30s --out $$run/load $(ARGS) || keep $$?; \
	$(BIN)/plugstorm report $$run/interop $$run/load || keep $$?; \
	exit $$status

# The unit tests wait for a third of their time, in which the other checks run. `coverage` runs the tests of the core
# already. What runs CI sets the variable CI, as its makers agreed.
test: setup lint ## Run all checks and tests, where CI is set test-deploy too; FULL=1 leaves nothing out
	@$(MAKE) --no-print-directory -j2 unit beside DONE=--ignore=tests/ocppj IN_TEST=1
	@$(if $(CI),$(MAKE) --no-print-directory test-deploy)
	@$(if $(FULL),,echo "make test: of long lists some were tried, see \"left out\" and \"seed\" above; make test FULL=1 tries all")

# What it says is told at its end, between two lines of the unit tests, which have the right of way.
beside:
	@log=$$(mktemp) || exit 2; trap 'rm -f "$$log"' EXIT; trap 'exit 130' INT TERM; status=0; \
	nice -n 5 $(MAKE) --no-print-directory types coverage selftest >"$$log" 2>&1 || status=2; \
	echo; cat "$$log"; exit $$status

bench: setup ## Measure the load engine beside others, and how far it goes; 20 minutes on a quiet machine
	$(BIN)/plugstorm bench --scale $(ARGS)

lint: setup ## Check style and formatting, and the Dockerfile
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/hadolint Dockerfile

types: setup ## Check the types of all rooms
	$(BIN)/mypy --strict $(ROOMS) hatch_build.py deploy

# Many of them wait for a load run of some seconds, so more than there are cores; each collects all tests first.
unit: EACH := 3
test-deploy: EACH := 2
unit test-deploy: PARALLEL = -n $$(( $(EACH) * $$($(BIN)/python -c 'import os; print(os.cpu_count() or 1)') ))
# What `make test-deploy` runs takes minutes, and some of it root.
unit flake: WHOLE := --ignore=tests/deploy/whole
unit: setup ## Run the tests of the harness; ARGS="-k name" picks some
	@PATH="$$PATH:/usr/sbin:/usr/local/sbin"; command -v mosquitto >/dev/null || \
	  echo "make: tests of MQTT run on one broker instead of two (Debian, Ubuntu: apt install mosquitto)"
	$(BIN)/python -m pytest $(PARALLEL) --dist worksteal $(if $(FULL),--full) $(WHOLE) $(DONE) $(ARGS)

coverage: setup ## Check that the tests of the protocol core reach every branch of it
	$(BIN)/python -m pytest tests/ocppj -n auto -q $(if $(FULL),--full) --cov=ocppj --cov-branch \
	  --cov-report=term-missing:skip-covered --cov-fail-under=100

# As a part of `make test` it takes no ARGS, which are for the unit tests there, and draws some of the defects, evenly
# from their tables: the seed is printed. `make selftest` tries them all.
# The mutants are another draw each time, by the same seed. docs/mutation.md says why 80 % is the floor.
selftest: setup ## Check the checker: strict and lenient without a false alarm, every defect found; ARGS=--full takes longer
	$(BIN)/plugstorm selftest $(if $(IN_TEST),$(if $(FULL),,--sample $(DEFECTS)),$(ARGS)) \
	  --with-mutants $(MUTANTS) --floor 80

flake: setup ## Repeat every case beside busy processes, and the tests in random order with other examples
	$(BIN)/plugstorm selftest --flake 20
	@set -e; for run in $$(seq $(RUNS)); do $(BIN)/python -m pytest -n auto -q $(WHOLE) --order-seed $$run \
	  --hypothesis-profile explore $(ARGS); done

format: setup ## Format the code and mend what the linter can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# The parts that the image needs hold the same versions.
lock: PART := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
  --no-emit-find-links --no-header --native-tls --constraint requirements.lock
lock: setup ## Resolve the dependencies again and write requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
	  --no-header --native-tls --group dev --group bench $(ARGS) pyproject.toml -o requirements.lock
	$(PART) pyproject.toml -o deploy/runtime.lock
	echo hatchling | $(PART) - -o deploy/build.lock

# In its own environment, without the network: what it is built with is in the lock.
dist: setup ## Build the wheel into dist/: pipx install dist/*.whl
	rm -f $(DIST)/*.whl
	$(BIN)/python -m hatchling build -t wheel -d $(DIST)

# Most of their time they wait, so twice as many as there are cores; tests of one file share their set-up.
test-deploy: setup ## Test the wheel, the image, the manifests and whole runs; what a machine lacks is skipped with a reason
	$(BIN)/python -m pytest -v -rs $(PARALLEL) --dist loadfile --no-loadscope-reorder tests/deploy $(ARGS)

image-test: setup ## Take every step of the Dockerfile in a root file system of Debian packages, and start containers
	$(BIN)/python -m pytest -v tests/deploy/whole/test_image.py $(ARGS)

schemas: setup ## Write docs/schemas/ from the types of what the commands write with --json
	$(BIN)/python -m tests.json_schemas

clean: ## Remove .venv and all caches; runs/ stays
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage* dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
