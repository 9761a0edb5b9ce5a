# Two commands are enough on a fresh machine with Go: make demo, make test.

GO ?= go
export CGO_ENABLED = 0

BUILD := build
SPAM  := examples/spam

.PHONY: demo test check generate debertac release clean

# demo compiles the spam classifier of examples/spam from its spec and runs it on 600 mails.
demo:
	@echo "Builds debertac and a spam classifier, and runs it on 600 mails. The first time takes a minute or two, most of it in Go's compiler."
	@$(MAKE) --no-print-directory debertac
	$(BUILD)/debertac compile $(SPAM)/spam.dspec -o $(BUILD)/spamclassifier
	$(BUILD)/debertac pack $(SPAM)/model --spec $(SPAM)/spam.dspec -o $(BUILD)/spam.weights
	$(BUILD)/debertac build $(SPAM)/spam.dspec --embed --weights $(BUILD)/spam.weights -o $(BUILD)/spam
	$(BUILD)/spam run --input $(SPAM)/mails/test.jsonl.gz --long truncate --examples 3 --accuracy --min-accuracy 97.6

# test is what a change must pass first.
test:
	$(GO) test -timeout 30m ./...

# check is everything that must hold before a change lands.
check: test
	test -z "$$(gofmt -l $$(git ls-files '*.go'))"
	$(GO) vet ./...
	$(GO) run honnef.co/go/tools/cmd/staticcheck@v0.8.2 ./...
	GOARCH=arm64 $(GO) build ./...
	$(GO) test -timeout 30m -tags noasm ./...
	CGO_ENABLED=1 $(GO) test -timeout 30m -race ./runtime/...
	$(GO) generate ./...
	git diff --exit-code
	rm -rf $(BUILD)/embed && mkdir -p $(BUILD) && cp -R examples/embed $(BUILD)/
	cd $(BUILD)/embed && $(GO) generate ./... && $(GO) vet ./... && $(GO) test ./...

generate:
	$(GO) generate ./...

debertac:
	$(GO) build -trimpath -buildvcs=auto -o $(BUILD)/debertac ./cmd/debertac

# release makes what a version is published as: programs for four platforms, an SBOM for each, and SHA256SUMS. The work tree must be as committed.
release:
	$(GO) run ./release -out $(BUILD)/release

clean:
	rm -rf $(BUILD)
