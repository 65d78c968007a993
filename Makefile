# Weir: build, run, check, test. `make help` lists the targets.
SHELL := /bin/bash
.DEFAULT_GOAL := help

VERSION  ?=
FUZZTIME ?= 20s
BENCH    ?= .
RUNFLAGS ?= --demo
# Packages that are tested at the same time: few, since some start browsers,
# encoders and servers.
TESTP    ?= 3

# A tree whose owner git does not trust is built without its revision.
export GOFLAGS := $(GOFLAGS) -buildvcs=$(shell git status >/dev/null 2>&1 && echo auto || echo false)

GOSOURCES  := $(shell find cmd ingest fragments playback datastreams web internal -name '*.go' -not -path '*/node_modules/*' 2>/dev/null)
WEBSOURCES := $(shell find web -type f \( -path 'web/src/*' -o -path 'web/public/*' -o -name '*.html' -o -name 'vite.config.ts' -o -name 'tsconfig.json' -o -name 'package*.json' \) -not -path '*/node_modules/*' -not -path 'web/dist/*' 2>/dev/null)
# Clients of AWS from npm, for the tests.
SDKTESTS   := cmd/weir/testdata/sdk
NODE20     := $(shell node -e 'process.exit(process.versions.node.split(".")[0] >= 20 ? 0 : 1)' 2>/dev/null && command -v npm 2>/dev/null)

.PHONY: help
help: ## This list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1 \2/p' Makefile | awk '{printf "  %-5s%-11s", $$1, $$2; $$1=$$2=""; print $$0}'

.PHONY: build
build: console worker ## bin/weir, with the console where Node 20 is there
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o bin/weir ./cmd/weir

# The decode worker: C over the libraries of FFmpeg, a program of its own.
LIBAV         := libavcodec libavutil libswresample libswscale
LIBAVPACKAGES := gcc libc6-dev pkg-config libavcodec-dev libavutil-dev libswresample-dev libswscale-dev
WORKERFLAGS   := -std=gnu11 -O2 -g -Wall -Wextra -fstack-protector-strong -fPIE -pie -Wl,-z,relro,-z,now
WORKERSOURCES := $(wildcard cmd/weir-decode/*.c cmd/weir-decode/*.h)

.PHONY: worker
worker: ## bin/weir-decode, where a C compiler and libav are there
	@if command -v cc >/dev/null && pkg-config --exists $(LIBAV) 2>/dev/null; then \
		$(MAKE) --no-print-directory -s bin/weir-decode; \
	else \
		echo "building without the decode worker: ffmpeg will do its work, slower; on Debian: apt-get install $(LIBAVPACKAGES)"; \
	fi

# By way of another name, so that two builds at a time do not disturb each
# other, nor a worker that runs.
bin/weir-decode: $(WORKERSOURCES)
	@mkdir -p bin
	cc $(WORKERFLAGS) -o $@.$$$$ $(filter %.c,$^) $$(pkg-config --cflags --libs $(LIBAV)) && mv $@.$$$$ $@

.PHONY: run
run: build ## Build and start with a demo camera; prints the address of the console
	@exec bin/weir serve $(RUNFLAGS)

.PHONY: run-minio
run-minio: build ## The same with a MinIO server beside it as the store
	@command -v curl >/dev/null || { echo "run-minio needs curl; on Debian: apt-get install curl" >&2; exit 1; }
	@internal/testkit/tools.sh minio
	@exec deploy/run-minio.sh bin/weir .tools/bin/minio $(RUNFLAGS)

# The console: built when its sources are newer, left out without Node.
.PHONY: console web
ifeq ($(wildcard web/package.json),)
console:
web:
	@echo "there is no console in this tree"
else ifeq ($(NODE20),)
console:
	@echo "Node 20 with npm is not here: building without the console"
web:
	@echo "the console needs Node 20 with npm: https://nodejs.org" >&2; exit 1
else
console: web/dist/console/index.html
web: ## The console alone
	@rm -rf web/dist/console
	@$(MAKE) --no-print-directory console
endif

web/node_modules/.package-lock.json: web/package-lock.json
	cd web && npm ci --no-audit --no-fund
	@touch $@

web/dist/console/index.html: $(WEBSOURCES) | web/node_modules/.package-lock.json
	cd web && npm run --silent build
	@touch $@

.PHONY: setup
setup: ## What the tests need: system packages (apt), npm packages, servers
	@internal/testkit/setup.sh test
	@$(MAKE) --no-print-directory -s $(if $(wildcard web/package.json),web/node_modules/.package-lock.json) tools
	@$(MAKE) --no-print-directory -s $(SDKTESTS)/node_modules/.package-lock.json

$(SDKTESTS)/node_modules/.package-lock.json: $(SDKTESTS)/package-lock.json
	cd $(SDKTESTS) && npm ci --no-audit --no-fund
	@touch $@

.PHONY: tools
tools: ## The programs that tests and checks start, into .tools/bin
	@internal/testkit/tools.sh

.PHONY: check
check: console ## Format, vet, lint, layers, documents, console types
	@unformatted=$$(gofmt -l $(GOSOURCES)); if [ -n "$$unformatted" ]; then echo "run gofmt -w on:"; echo "$$unformatted"; exit 1; fi
	go vet ./...
	@internal/testkit/tools.sh staticcheck
	.tools/bin/staticcheck ./...
	go test ./internal/house
	@for f in .ci/run deploy/*.sh internal/testkit/*.sh; do sh -n $$f || exit 1; done
	$(if $(and $(wildcard web/package.json),$(NODE20)),cd web && npm run --silent check,@echo "the console was not checked: Node 20 is not here")

.PHONY: test
test: setup console worker ## The whole test suite, with the race detector
	go test -race -p $(TESTP) -timeout 20m ./...

.PHONY: bench
bench: ## Benchmarks; BENCH selects
	go test -run '^$$' -bench '$(BENCH)' -benchmem -p 1 ./...

.PHONY: fuzz
fuzz: ## Every fuzz target for FUZZTIME each
	@internal/testkit/fuzz.sh $(FUZZTIME)

.PHONY: faults
faults: setup console worker ## The long tests: those with the build tag faults
	go test -tags faults -run '^TestFaults' -p 1 -timeout 90m -v ./...

.PHONY: interop
interop: build ## Clients that come from Maven or PyPI: boto3, the Java SDK
	@internal/testkit/interop.sh bin/weir

# What is made from the API models of AWS, which are not part of this tree:
# AWS_MODELS names the directory that holds them.
.PHONY: generate generate-check
generate: ## The wire shapes, from the models in AWS_MODELS
	@test -n "$(AWS_MODELS)" || { echo "set AWS_MODELS to the directory of the API models" >&2; exit 1; }
	go run ./internal/awsapi/gen -models '$(AWS_MODELS)' -out internal/awsapi
generate-check: ## Whether they are current
	@test -n "$(AWS_MODELS)" || { echo "set AWS_MODELS to the directory of the API models" >&2; exit 1; }
	go run ./internal/awsapi/gen -models '$(AWS_MODELS)' -out internal/awsapi -check

.PHONY: clean
clean: ## Remove what was built; data, tools and node_modules stay
	rm -rf bin web/dist/console
