# Two commands are enough on a fresh machine with Go: make demo, make test.

GO ?= go
export CGO_ENABLED = 0

BUILD := build

.PHONY: demo test check generate debertac race fuzz clean

# demo compiles the spam classifier of examples/spam from its spec and runs it on 600 mails.
demo: debertac
	$(BUILD)/debertac build examples/spam/spam.dspec --model examples/spam/model -o $(BUILD)/spam --embed
	$(BUILD)/spam run --input examples/spam/mails/test.jsonl.gz --long truncate --accuracy --examples 3

# test is what a change must pass first.
test:
	$(GO) test ./...

# check is everything that must hold, in about the order of its cost.
check:
	test -z "$$(gofmt -l $$(git ls-files '*.go'))"
	$(GO) vet ./...
	$(GO) run honnef.co/go/tools/cmd/staticcheck@v0.8.2 ./...
	GOARCH=arm64 $(GO) build ./...
	$(GO) test ./...
	$(GO) test -tags noasm ./...
	CGO_ENABLED=1 $(GO) test -race ./runtime/...
	$(GO) generate ./...
	git diff --exit-code

generate:
	$(GO) generate ./...

debertac:
	$(GO) build -trimpath -o $(BUILD)/debertac ./cmd/debertac

clean:
	rm -rf $(BUILD)
