# Two commands are enough on a fresh machine with Go: make demo, make test.

GO ?= go
export CGO_ENABLED = 0

BUILD := build
SPAM  := examples/spam

# The tests that take longest: additions made by the recipes, every operation on a file failed in turn, every recorded folder, programs that init makes, the
# pages' Go code, trainings, recorded schemas. "make test" runs the short form of those that have one.
LONG := ^(TestAdditions|TestEveryFaultOfTheDisk|TestRecordedFolders|TestInitFrom|TestGo|TestTrainings|TestSchemaCases)$$

.PHONY: demo test long check list-checks lint platforms noasm race generated example arm64 speed paper vulnerabilities generate debertac release clean

# demo compiles the spam classifier of examples/spam from its spec and runs it on 600 mails.
demo:
	@echo "Builds debertac and a spam classifier, and runs it on 600 mails. The first time takes a minute or two, most of it in Go's compiler."
	@$(MAKE) --no-print-directory debertac
	$(BUILD)/debertac compile $(SPAM)/spam.dspec -o $(BUILD)/spamclassifier
	$(BUILD)/debertac pack $(SPAM)/model --spec $(SPAM)/spam.dspec -o $(BUILD)/spam.weights
	$(BUILD)/debertac build $(SPAM)/spam.dspec --embed --weights $(BUILD)/spam.weights -o $(BUILD)/spam
	$(BUILD)/spam run --input $(SPAM)/mails/test.jsonl.gz --long truncate --examples 3 --accuracy --min-accuracy 97.6

# test is what a change must pass first. Programs that tests build are built with -trimpath, so the standard library and the runtime are compiled once for both.
test:
	$(GO) test -trimpath -timeout 30m -skip '$(LONG)' ./...
	$(GO) test -trimpath -timeout 30m -short -run '$(LONG)' ./cmd/debertac

long:
	$(GO) test -trimpath -timeout 30m -run '$(LONG)' . ./cmd/debertac ./docs/tasks ./docs/training

# check is everything that must hold before a change lands. Each part can be run alone; a part that this machine cannot run is left out with a message.
CHECKS := test long lint platforms noasm race generated example arm64 speed paper vulnerabilities
check: $(CHECKS)

list-checks:
	@echo $(CHECKS)

lint:
	test -z "$$(gofmt -l $$(git ls-files '*.go'))"
	$(GO) mod tidy -diff
	$(GO) vet ./...
	$(GO) tool staticcheck ./...
	git ls-files '*.go' '*.md' '*.dspec' | grep -v -e testdata/ -e spec/hf/beside_test.go | xargs $(GO) tool misspell -error

# platforms builds for those that the tests do not run on.
platforms:
	GOARCH=arm64 $(GO) build ./...
	GOOS=darwin GOARCH=arm64 $(GO) build ./...
	GOOS=windows $(GO) build ./...

# noasm leaves out the pages, whose tests build programs without the tag.
noasm:
	$(GO) test -timeout 30m -tags noasm -skip '$(LONG)' $$($(GO) list ./... | grep -v /docs/)

race:
	CGO_ENABLED=1 $(GO) test -timeout 30m -race ./runtime/...

# generated fails if a generated file is stale.
generated:
	$(GO) generate ./...
	git diff --exit-code

example:
	rm -rf $(BUILD)/embed && mkdir -p $(BUILD) && cp -R examples/embed $(BUILD)/
	cd $(BUILD)/embed && $(GO) generate ./... && $(GO) vet ./... && $(GO) test ./...

# arm64 runs tests of the runtime and of a generated package on an emulated ARM. The emulator does not report the place of a bus error, cannot run programs
# that a test starts, and shows the real machine's /proc/cpuinfo, so the packages and tests that are about these stay outside.
arm64:
	@if ! command -v qemu-aarch64 >/dev/null; then echo "arm64: left out: there is no qemu-aarch64 (Debian: apt-get install qemu-user)"; else \
	  set -x; GOARCH=arm64 $(GO) test -short -timeout 30m -exec qemu-aarch64 -skip '^(TestShrunkFile|TestDetectionAgreesWithKernel)$$' ./runtime ./runtime/cpu ./runtime/pool ./runtime/engine ./runtime/task ./runtime/token ./generated/spam; fi

# speed holds kernels to what the machine reached in the same run.
speed: debertac
	$(GO) run ./bench/gate -debertac $(BUILD)/debertac bench/gate/gate.dspec

# paper computes the short form of the paper's tables and figures, and holds them to their requirements.
paper: debertac
	$(GO) run ./bench/paper -short -debertac $(BUILD)/debertac f1 f3 t4 t10 t11 t12 t13 t14 t15 a7

vulnerabilities:
	@mkdir -p $(BUILD); if ! curl -sfm 20 -o $(BUILD)/vuln.json https://vuln.go.dev/index/db.json; then echo "vulnerabilities: left out: vuln.go.dev cannot be reached"; else \
	  set -x; $(GO) tool govulncheck ./...; fi

generate:
	$(GO) generate ./...

debertac:
	$(GO) build -trimpath -buildvcs=auto -o $(BUILD)/debertac ./cmd/debertac

# release makes what a version is published as: programs for four platforms, an SBOM for each, and SHA256SUMS. The work tree must be as committed.
release:
	$(GO) run ./release -out $(BUILD)/release

clean:
	rm -rf $(BUILD)
