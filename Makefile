# Targets are one or two lines each; .ci/run calls them. GOFLAGS and the like come from the environment.

GOLANGCI := go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
FUZZTIME ?= 30s
# The feed farm's program, a folder beside this repository.
FARM ?= ../shared/feedfarm
# Packages with goroutines of their own: the race detector and random order pay there.
RACE := ./aggregator/... ./store/... ./publish/... ./cmd/...

.PHONY: soak soak-short release package build test check fmt vet tidy static lint race golden fuzz bench crash cover demo vuln

build: ## a static binary
	CGO_ENABLED=0 go build -trimpath -o chancery ./cmd/chancery

test: ## README's test command
	go test ./...

check: fmt vet tidy static lint race ## all that a commit must pass beside the tests

fmt:
	@out=$$(gofmt -l .); test -z "$$out" || { echo "gofmt would change:"; echo "$$out"; exit 1; }

vet:
	go vet ./...

tidy:
	go mod tidy -diff

static:
	go tool staticcheck ./...

lint: ## the first build takes minutes, then it is cached
	$(GOLANGCI) run ./...

race:
	go test -race -short -shuffle=on -timeout 18m $(RACE)

golden: ## rewrite expected files and scripts, then review
	go test ./... -update
	git diff --stat

fuzz: ## every fuzz target for FUZZTIME
	@for p in $$(go list ./...); do \
	  for f in $$(go test -list '^Fuzz' $$p 2>/dev/null | grep '^Fuzz'); do \
	    echo "$$p $$f"; go test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) $$p || exit 1; \
	  done; \
	done

bench: ## micro-benchmarks, for benchstat
	go test -run '^$$' -bench . -benchmem -count=6 ./... | tee bench.txt

crash: ## kill -9 under load, 200 times; every write and sync fails once, in four ways; every page is damaged, in four ways
	go test -run 'Kill|Faults|DamagedPage$$' ./store/bolt -crashes 200 -faults 1 -pages 1 -timeout 30m

cover:
	go test -coverpkg=./... -coverprofile=cover.out ./... && go tool cover -func=cover.out | tail -1

demo:
	go run ./cmd/chancery demo

vuln: ## needs its database
	go run golang.org/x/vuln/cmd/govulncheck@v1.9.0 ./...

soak: ## two hours of a feed farm at fifty times the speed of the web: make soak FARM=FOLDER
	go run ./cmd/chancerybench soak -feedfarm $(FARM)

soak-short: ## the same in a minute
	go run ./cmd/chancerybench soak -feedfarm $(FARM) -for 60s -speed 1800 -feeds 100 -kill 9s -reload 7s -backup 25s -sample 1s

release: ## dist/: .deb and .tar.gz for amd64 and arm64, and SHA256SUMS; make release VERSION=1.2.3
	packaging/release.sh $(VERSION)

package: ## builds this machine's package twice, compares, installs it in a clean root (root, mmdebstrap)
	packaging/check.sh
