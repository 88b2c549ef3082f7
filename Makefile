# A machine with Go, git and make is enough: the targets install the rest.

FUZZTIME  ?= 20s
DURATION  ?= 5m
BENCHTIME ?= 1s
TESTFLAGS ?=
ifdef BENCH_SHORT
BENCHTIME = 100ms
endif
export FUZZTIME DURATION BENCHTIME BENCH_SHORT

.DEFAULT_GOAL := help
.PHONY: help deps deps-test build demo test test-net fuzz bench bench-plot soak lint check-docs check

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  %-12s %s\n", $$1, $$2}' Makefile

deps: ## Install libzmq, pkg-config and a C compiler, as far as they are missing
	@scripts/install-deps

deps-test: ## deps, and what only the test suite uses
	@scripts/install-deps --test

build: deps ## Compile every package of every module
	@for m in $$(scripts/modules); do echo "build: module $$m"; (cd $$m && go build ./...) || exit 1; done

demo: deps ## See nodes find each other and talk, on this machine
	@go run ./examples/demo

test: deps-test ## Install what is missing; go vet, gofmt and all tests with -race (TESTFLAGS=…)
	@scripts/test $(TESTFLAGS)

test-net: deps-test ## Tests of several hosts in network namespaces; needs root
	@scripts/test-net $(TESTFLAGS)

fuzz: deps ## Run every fuzz target for FUZZTIME=20s
	@scripts/fuzz

bench: deps ## Benchmarks, BENCHTIME=1s each; BENCH_SHORT=1 for a quick look
	@scripts/microbench
	@scripts/bench

bench-plot: deps ## Plots and tables in docs/ from the results of make bench
	@scripts/bench-plot

soak: deps-test ## Tests that go on for DURATION=5m each
	@scripts/soak $(TESTFLAGS)

lint: deps ## golangci-lint by .golangci.yml, and govulncheck
	@scripts/lint

check-docs: ## Fields have comments, files that documents name exist, no path of one machine
	@scripts/check-docs

check: lint check-docs test ## All that a change must pass
