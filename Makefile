# sdkportal: `make demo` shows it, `make run` is for working on it, `make test` checks it. Every step installs what it needs.
SHELL := /bin/bash
PYTHON ?= $(shell command -v /usr/bin/python3.11 || command -v python3.11 || command -v python3)
VENV := .venv
RUN := $(VENV)/bin
WORKERS ?= 3

.PHONY: demo demo-reset run run-reset test test-fast test-odd interop test-containers test-production test-disaster test-upgrade test-cluster test-looks lint lint-code format lint-templates lint-static lint-requirements lint-migrations \
	types imports check bench bench-node bench-ui bench-people chaos workplace-figures messages lock outdated release clean

demo: $(VENV)/.installed fonts bubblewrap clamav
	@$(RUN)/python -m testbed.demo

demo-reset: $(VENV)/.installed
	@$(RUN)/python -m testbed.demo --reset

# One node with sample data that reloads on save, and a second organisation on it to write to.
run: $(VENV)/.installed fonts bubblewrap clamav
	@$(RUN)/python -m testbed.development

run-reset: $(VENV)/.installed
	@$(RUN)/python -m testbed.development --reset

test: $(VENV)/.installed chromium bubblewrap gettext java nginx clamav xmlsec1 faketime softhsm prometheus phase4 oxalis as4 eark
	$(RUN)/python -m pytest -n $(WORKERS) --dist loadgroup --durations=20 $(ARGS)

# What needs no browser, no Java and no node beside the test's own process (tests/conftest.py marks the others `whole`).
test-fast: $(VENV)/.installed bubblewrap gettext clamav xmlsec1 faketime softhsm fonts
	$(RUN)/python -m pytest -n 2 --dist loadgroup -m "not whole and not slow" $(ARGS)

# Every kind of odd value in every parameter of every address, as every role: `make test` tries a part of it.
test-odd: $(VENV)/.installed bubblewrap gettext clamav xmlsec1
	SDK_TEST_EVERYTHING=1 $(RUN)/python -m pytest -n 2 tests/safety/test_odd_parameters.py $(ARGS)

# Messages with three other access points, both ways; the end of the run tells how many went each way with each.
interop: $(VENV)/.installed nginx clamav phase4 oxalis as4
	$(RUN)/python -m pytest -n 0 tests/interop $(ARGS)

# Builds the image and starts every role of it as deploy/compose.yaml does; as root, with podman from Debian. Minutes.
test-containers: $(VENV)/.installed clamav containers
	SDK_TEST_CONTAINERS=1 $(RUN)/python -m pytest -n 0 tests/containers $(ARGS)

# Every page and its states as every role, in every look: half an hour. `make test` takes a part of it.
test-looks: $(VENV)/.installed chromium bubblewrap gettext clamav xmlsec1
	SDK_TEST_EVERYTHING=1 $(RUN)/python -m pytest -n 2 tests/journeys/test_every_look.py $(ARGS)

# The last release's processes on this version's schema, while messages and pages go on. Ten minutes.
test-upgrade: $(VENV)/.installed bubblewrap clamav
	SDK_TEST_UPGRADE=1 $(RUN)/python -m pytest -n 0 tests/upgrade $(ARGS)

# A node on several machines (network namespaces), which are lost one after another; as root. A quarter of an hour. In
# namespaces of its own: what it makes is gone when it ends, however it ends.
test-cluster: $(VENV)/.installed bubblewrap nginx clamav faketime namespaces
	unshare --net --mount --pid --fork --mount-proc --kill-child bash -c 'ip link set lo up && SDK_TEST_CLUSTER=$${SDK_TEST_CLUSTER:-1} $(RUN)/python -m pytest -n 0 tests/cluster $(ARGS); exit $$?'

# A bare Debian 12 becomes a node by the commands of docs/production.md, and is upgraded: as root, half an hour. What it
# installs is fetched before; then it is in a network that leads nowhere.
test-production: $(VENV)/.installed bubblewrap clamav machine
	$(RUN)/python -m tests.production.bare_debian
	$(RUN)/python -m scripts.release --snapshot
	SDK_TEST_PRODUCTION=1 tests/production/apart $(RUN)/python -m pytest -n 0 tests/production $(ARGS)

# A node with 500 messages is destroyed and restored from its backup.
test-disaster: $(VENV)/.installed bubblewrap clamav
	SDK_TEST_DISASTER_MESSAGES=500 $(RUN)/python -m pytest -n 0 -s tests/faults/test_disaster.py $(ARGS)

lint: lint-code lint-templates lint-static lint-requirements lint-migrations

lint-code: $(VENV)/.installed
	$(RUN)/ruff check .
	$(RUN)/ruff format --check .

# Templates: djlint's rules, and no line of more than 120 characters. JavaScript and CSS: biome's rules and form.
lint-templates: $(VENV)/.installed
	$(RUN)/djlint templates testbed/templates --lint --quiet
	$(RUN)/python scripts/wrap_templates.py --check

lint-static: node_modules/.installed
	node_modules/@biomejs/cli-linux-*/biome check --error-on-warnings static

# Breaks the lines of templates that are too long, and gives Python, JavaScript and CSS their form.
format: $(VENV)/.installed node_modules/.installed
	$(RUN)/ruff format .
	$(RUN)/python scripts/wrap_templates.py
	node_modules/@biomejs/cli-linux-*/biome check --write static

node_modules/.installed: package.json package-lock.json
	@scripts/install biome
	@touch $@

lint-requirements: $(VENV)/.installed
	$(RUN)/python scripts/check_requirements.py

# What the last release's processes, or a large table, would not stand (docs/upgrading.md).
lint-migrations: $(VENV)/.installed
	$(RUN)/python -m scripts.lint_migrations

# Pins what requirements*.in ask for, with hashes; `make lock ARGS=--upgrade` moves everything that may move.
lock: $(VENV)/.installed
	@scripts/lock $(ARGS)

types: $(VENV)/.installed
	SDK_DEMO=1 $(RUN)/mypy sdkportal mailbox addressbook transport testbed benchmarks scripts

imports: $(VENV)/.installed
	SDK_DEMO=1 $(RUN)/lint-imports

check: test lint types imports

bench: $(VENV)/.installed java clamav phase4
	$(RUN)/python -m benchmarks.sealing
	$(RUN)/python -m benchmarks.nodes $(ARGS)

# A whole node with 2 KB messages, idle, under load, and beside people's pages; about a minute, and as long to start.
bench-node: $(VENV)/.installed clamav
	$(RUN)/python -m benchmarks.node $(ARGS)

# A thousand open pages and two hundred people at work on a node of a million messages: ten minutes, and five to make it.
bench-people: $(VENV)/.installed
	$(RUN)/python -m benchmarks.people --directory var/bench-ui $(ARGS)

# Pages on a node of a million messages, which is made once and kept.
bench-ui: $(VENV)/.installed
	$(RUN)/python -m benchmarks.pages --directory var/bench-ui --json var/bench-ui.json $(ARGS)

# Clicks, keys, page loads and pixels of everyday work in the workplace, beside their goals.
workplace-figures: $(VENV)/.installed chromium bubblewrap clamav fonts
	@$(RUN)/python -m tests.journeys.workplace_figures

# Two nodes write to each other while things break; then every order is reconciled. `make chaos SEED=117 MINUTES=5 FAULTS=150`
MINUTES ?= 30
FAULTS ?= 1000
chaos: $(VENV)/.installed bubblewrap clamav faketime
	$(RUN)/python -m tests.faults.chaos --minutes $(MINUTES) --faults $(FAULTS) $(if $(SEED),--seed $(SEED)) $(ARGS)

# The catalogue of English: texts that are new are added to it, and what pages read is made of it.
messages: $(VENV)/.installed gettext
	SDK_DEMO=1 $(RUN)/python manage.py makemessages -l en -e html,py,js --no-location --no-wrap --no-obsolete -i .venv -i var -i tests -i testbed -i benchmarks -i static -i staticfiles
	SDK_DEMO=1 $(RUN)/python manage.py compilemessages -l en -i .venv

.PHONY: chromium fonts bubblewrap gettext java nginx clamav xmlsec1 faketime softhsm prometheus containers namespaces machine phase4 oxalis as4 eark
chromium fonts bubblewrap gettext java nginx clamav xmlsec1 faketime softhsm prometheus containers namespaces machine phase4 oxalis as4 eark:
	@scripts/install $@

$(VENV)/.installed: requirements.txt requirements-dev.txt scripts/install
	@scripts/install venv "$(PYTHON)" "$(VENV)"
	@touch $@

# A wheel, an offline bundle, what it is made of and its notes, in dist/: `make release ARGS=--snapshot` before a version.
release: $(VENV)/.installed
	$(RUN)/python -m scripts.release $(ARGS)

outdated: $(VENV)/.installed
	$(RUN)/pip list --outdated

clean:
	rm -rf $(VENV) node_modules var staticfiles dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
