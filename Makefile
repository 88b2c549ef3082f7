# A machine with Go, git and make is enough: the targets install the rest.

FUZZTIME  ?= 20s
DURATION  ?= 5m
BENCHTIME ?= 1s
SEEDS     ?= 1500
DEPTH     ?= 3
TESTFLAGS ?=
SCREENSHOTS ?= screenshots
ifdef BENCH_SHORT
BENCHTIME = 100ms
endif
export FUZZTIME DURATION BENCHTIME SEEDS DEPTH BENCH_SHORT

.DEFAULT_GOAL := help
.PHONY: help deps deps-test build install demo test unit e2e sim fuzz bench bench-smoke bench-plot soak lint check-docs check screenshots

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "  %-12s %s\n", $$1, $$2}' Makefile

deps: ## Install libzmq, pkg-config and a C compiler, as far as they are missing
	@scripts/install-deps

deps-test: ## deps, and what only the test suite uses
	@scripts/install-deps --test

build: deps ## Compile every package of every module
	@for m in $$(scripts/modules); do echo "build: module $$m"; (cd $$m && go build -o /dev/null ./...) || exit 1; done

install: deps ## Install the command zyre, into $(go env GOBIN) or $(go env GOPATH)/bin
	@cd cmd/zyre && go install .

demo: deps ## See nodes find each other and talk, on this machine
	@go run ./examples/demo

test: deps-test ## All tests with -race: unit and e2e (TESTFLAGS=…)
	@scripts/test all $(TESTFLAGS)

unit: deps-test ## Tests of each package by itself; no root
	@scripts/test unit $(TESTFLAGS)

e2e: deps-test ## Tests of processes, hosts and other implementations; root for the hosts
	@scripts/test e2e $(TESTFLAGS)

sim: deps ## The simulated tests, each with SEEDS=1500, or in DEPTH=3 steps
	@scripts/sim $(TESTFLAGS)

fuzz: deps ## Run every fuzz target for FUZZTIME=20s
	@scripts/fuzz

bench: deps ## Benchmarks, BENCHTIME=1s each; BENCH_SHORT=1 for a quick look
	@scripts/microbench
	@scripts/bench

bench-smoke: deps ## Every benchmark for a moment, to see that it runs
	@$(MAKE) --no-print-directory bench BENCH_SHORT=1

bench-plot: deps ## Plots and tables in docs/ from the results of make bench
	@scripts/bench-plot

soak: deps-test ## Tests that go on for DURATION=5m each
	@scripts/soak $(TESTFLAGS)

screenshots: deps-test ## Pictures of the page of zyre monitor, into SCREENSHOTS=screenshots
	@mkdir -p "$(SCREENSHOTS)"
	@cd cmd/zyre && SCREENSHOTS="$(abspath $(SCREENSHOTS))" go test -count=1 -run TestScreenshots ./internal/monitor

lint: deps ## golangci-lint by .golangci.yml, and govulncheck
	@scripts/lint

check-docs: ## Fields of the API have comments, files that documents name exist, no path of one machine
	@scripts/check-docs

check: lint check-docs test ## All that a change must pass
