# A thin face over Meson: the build is described in meson.build, this file only names the common ways in.
#
#   make test CC=clang               the same with another compiler      (in build-clang/)
#   make test SAN=address,undefined  the same under sanitizers           (in build-asan-ubsan/)
#   make test SAN=thread             …                                   (in build-tsan/)
#   make test SUITE=unit             one suite: unit, contract, check, integration, deploy, web
#   make test TEST='base json'       some tests by name
#   make run ARGS='--listen 127.0.0.1:9000'

SAN ?=
SUITE ?=
TEST ?=
URI ?=
ONLY ?=
ARGS ?=
SEEDS ?= 200

# Each variant has a build folder of its own, so that none undoes another's work.
comma := ,
variant := $(if $(filter default,$(origin CC)),,-$(notdir $(CC)))
variant := $(variant)$(if $(SAN),-$(subst $(comma),-,$(subst thread,tsan,$(subst undefined,ubsan,$(subst address,asan,$(SAN))))))
BUILD := build$(variant)
streets := build/streets/large-network.json

# gcc warns without cause where sanitizers have rewritten the code; the plain builds are where warnings count.
setup_flags := $(if $(SAN),-Db_sanitize=$(SAN) --buildtype=debugoptimized -Dc_args=-w -Dcpp_args=-w)
# gcc-12 → g++-12, clang-14 → clang++-14: the C++ file is compiled by the same family.
setup_env := $(if $(filter default,$(origin CC)),,CC='$(CC)' CXX='$(subst gcc,g++,$(subst clang,clang++,$(CC)))')

.DEFAULT_GOAL := all
.PHONY: all build lorry run web test test-mongodb test-cluster cluster cluster-stop faults web-figures check bench lint format deb image-test mutants deps streets clean distclean help
.NOTPARALLEL:

all: build ## Build build/lorry (the default)

build: $(BUILD)/build.ninja
	@ninja -C $(BUILD) $(ONLY) $$([ -t 1 ] || echo --quiet)

lorry: # the program without the tests, for who wants to run it
	@$(MAKE) --no-print-directory build ONLY=lorry

$(BUILD)/build.ninja:
	@command -v meson >/dev/null || { echo 'make: Meson is not installed; `make deps` installs what the build needs.' >&2; exit 1; }
	$(setup_env) meson setup $(BUILD) $(setup_flags)

run: ## Install what is missing, build, and serve the demo city
	@scripts/install-deps.sh build
	@$(MAKE) --no-print-directory lorry
	@scripts/get-streets.sh || echo 'The demo goes on without street data: drivers move as the crow flies.' >&2
	@$(MAKE) --no-print-directory web || echo 'The demo goes on without the web app; the API is all there.' >&2
	@exec $(BUILD)/lorry serve --demo $$([ -f $(streets) ] && echo --streets $(streets)) $(ARGS)

web: ## Install what is missing and build the web app into the build folder
	@scripts/install-deps.sh web
	@scripts/build-web.sh $(BUILD)

# The browser tests run once, against the plain build: `make test SUITE=web` alone, `make test SUITE=unit` without.
with_web := $(if $(SAN)$(TEST)$(filter-out web,$(SUITE)),,web)

test: ## Install what is missing, build, and run every test (SAN=, CC=, SUITE=, TEST=)
	@scripts/install-deps.sh build test deploy $(with_web) $(if $(with_web),browser) $(if $(findstring clang,$(CC)),clang)
	@$(MAKE) --no-print-directory build
	@scripts/get-streets.sh || echo 'Tests that need the streets will be skipped.' >&2
	@scripts/get-deploy-tools.sh || echo 'Tests of deploy/ that need what npm has will be skipped.' >&2
	@$(if $(with_web),scripts/build-web.sh $(BUILD) lint test sizes ux e2e)
	@$(if $(filter web,$(SUITE)),,scripts/run-tests.sh $(BUILD) '$(SUITE)' $(TEST))

test-mongodb: ## The store's contract and faults, and the platform, on a MongoDB of yours (URI=mongodb://…), in databases it drops
	@[ -n '$(URI)' ] || { echo 'make: say which: make test-mongodb URI=mongodb://…' >&2; exit 1; }
	@scripts/install-deps.sh build test deploy mongodb
	@$(MAKE) --no-print-directory build
	@LORRY_TEST_MONGODB_URI='$(URI)' scripts/run-tests.sh $(BUILD) '' contract-mongo contract-mongo-faults cluster-mongodb

test-cluster: ## The integration tests against two processes of each service on real servers, behind Nginx
	@scripts/install-deps.sh build test deploy
	@$(MAKE) --no-print-directory build
	@scripts/run-tests.sh $(BUILD) '' cluster-main-way cluster-races

cluster: ## Several processes on real servers, with a city on them: PostgreSQL, RabbitMQ, Redis, Nginx (ARGS=--small, ARGS='--store URI')
	@scripts/install-deps.sh build cluster
	@$(MAKE) --no-print-directory lorry
	@scripts/get-streets.sh || echo 'The city goes on without street data: drivers move as the crow flies.' >&2
	@$(MAKE) --no-print-directory web || echo 'The cluster goes on without the web app; the API is all there.' >&2
	@scripts/cluster.py start --city $(ARGS)

cluster-stop: ## End what `make cluster` started; its state stays in build/cluster
	@scripts/cluster.py stop $(ARGS)

faults: ## Kill, stop, cut off, fill up and replace each part of a cluster under load, and audit (ARGS='--only NAME', --list)
	@scripts/install-deps.sh build cluster
	@$(MAKE) --no-print-directory lorry
	@exec scripts/faults.py --lorry $(BUILD)/lorry $(ARGS)

web-figures: ## Measure the web app (script, Lighthouse, the console's main thread and memory) into docs/web-figures.md (ONLY=sizes,…)
	@scripts/install-deps.sh build web browser
	@$(MAKE) --no-print-directory lorry
	@scripts/get-streets.sh || echo 'Without street data drivers move as the crow flies.' >&2
	@scripts/web-figures.sh $(BUILD)

check: lorry ## The deterministic simulator alone (SEEDS=200)
	@$(BUILD)/lorry check --seeds $(SEEDS) $(ARGS)

bench: lorry ## The named benchmarks, as a table (ARGS='NAME' for one, ARGS=--json for machines)
	@$(BUILD)/lorry bench $(ARGS)

deb: ## Install what is missing, build, and pack a Debian package with the web app, in the build folder
	@scripts/install-deps.sh build package
	@$(MAKE) --no-print-directory lorry
	@$(MAKE) --no-print-directory web || echo 'The package goes without the web app; the API is all there.' >&2
	@deploy/debian/build.sh $(BUILD)/lorry $(BUILD)

image-test: deb ## Install the package in a bare Debian; build the image without an engine, start both (minutes, root)
	@scripts/install-deps.sh image
	@tests/deploy/install.sh $(BUILD)/lorry_*.deb
	@tests/deploy/image.sh

mutants: ## Break each promise on purpose and show which check catches it
	@scripts/install-deps.sh build test
	@tests/mutants/run

lint: ## Install what is missing and check format, headers, layers, scripts, cppcheck, clang-tidy, the web app, the API document
	@scripts/install-deps.sh build lint web
	@$(MAKE) --no-print-directory $(BUILD)/build.ninja
	@scripts/lint.sh $(BUILD)

format: ## Put every source file in the house's format
	@git ls-files -z '*.c' '*.h' '*.cc' | xargs -0 clang-format -i

deps: ## Install what building, testing and linting need (Debian 12)
	@scripts/install-deps.sh build test deploy lint streets

streets: ## Fetch the demo city's road network
	@scripts/get-streets.sh

clean: ## Remove what was built (what was fetched stays)
	@for d in build build-*; do [ -d "$$d" ] && find "$$d" -mindepth 1 -maxdepth 1 ! -name streets ! -name deploy-tools -exec rm -rf {} +; done; rmdir build-* 2>/dev/null || true

distclean: ## Remove everything that is not in the repository's files, but never data/
	@rm -rf build build-*

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 } /^#   make / { sub(/^# /, ""); extra = extra $$0 "\n" } END { printf "\nFor example:\n%s", extra }' $(firstword $(MAKEFILE_LIST))
