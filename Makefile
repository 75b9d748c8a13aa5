# A thin front for CMake and the scripts: `make help` lists what there is.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := build
.PHONY: help build setup setup-test setup-fuzz run demo demo-down demo-faults test bench asan tsan fuzz lint tidy format install clean

MINUTES ?= 10
ARGS ?=
PREFIX ?= /usr/local
# One compiler process a core; fewer with JOBS=1.
JOBS ?= $(shell nproc 2>/dev/null || echo 2)
CONFIGURE = cmake --preset $(1) $(2)
BUILD = cmake --build --preset $(1) -j $(JOBS)

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

build: ## the release binary, build/virga (installs nothing)
	@scripts/setup.sh --check core
	@$(call CONFIGURE,release) --log-level=WARNING
	@$(call BUILD,release) --target virga

setup: ## install what building needs (Debian packages, by apt; sudo only when not root)
	@scripts/setup.sh core

setup-test: setup ## also what the tests drive virga with
	@scripts/setup.sh test
	@scripts/setup.sh --node tests/clients/js
	@scripts/setup.sh --node tests/clients/cdk

setup-fuzz: setup
	@scripts/setup.sh fuzz

run: setup build ## set up, build, start: make run ARGS='--ephemeral'
	@exec build/virga serve $(ARGS)

demo: setup build ## the three-tier example (examples/three-tier) as one stack; starts virga when none answers
	@scripts/setup.sh test
	@scripts/setup.sh --image build/virga
	@scripts/demo.sh up

demo-down: ## removes the example's stack
	@scripts/demo.sh down

demo-faults: setup build ## breaks the example under load, one fault after the other, on a virga of its own, and counts
	@scripts/setup.sh test
	@scripts/setup.sh --image build/virga
	@examples/three-tier/faults.py $(ARGS)

test: setup-test build ## set up, build, run every test; make test ARGS='s3' runs those whose name holds s3
	@scripts/setup.sh --image build/virga
	@tests/run $(ARGS)

bench: setup-test ## measure against nginx and others; ratios, in one run
	@$(call CONFIGURE,release) --log-level=WARNING
	@$(call BUILD,release)
	@scripts/setup.sh --node bench/peers
	@bench/startup.sh build
	@PATH="$(CURDIR)/bench/peers/node_modules/.bin:$$PATH" bench/compare.sh build

asan: setup-test ## the whole suite under AddressSanitizer and UBSan
	@tests/run --preset asan $(ARGS)

tsan: setup-test ## the whole suite under ThreadSanitizer
	@tests/run --preset tsan $(ARGS)

fuzz: setup-fuzz ## every fuzz target for MINUTES=10 each
	@scripts/fuzz.sh $(MINUTES) $(ARGS)

lint: ## the house rules that a program can check
	@tools/lint.sh

tidy: ## clang-tidy over src/ (slow; needs clang-tidy and a configured build)
	@$(call CONFIGURE,release) --log-level=WARNING
	@$(call BUILD,release) --target gen
	@git ls-files 'src/*.c' | xargs -r -P $(JOBS) -n 4 clang-tidy -p build --quiet

format: ## clang-format over the C sources
	@git ls-files '*.c' '*.h' | xargs -r clang-format -i

install: build ## to PREFIX=/usr/local
	@cmake --install build --prefix $(PREFIX)

clean: ## remove the build folders
	@rm -rf build build-dev build-asan build-tsan build-fuzz
