package main

import (
	"strings"

	"github.com/debertac/debertac/cmd/debertac/console"
	"github.com/debertac/debertac/cmd/debertac/scaffold"
)

type initVerb struct {
	scaffold.Scaffold
}

// Help is the long help.
func (initVerb) Help() string {
	return `Makes a folder with a spec, a Go package that is generated from it (doc.go has the //go:generate line), and a small program
that uses the package. The module requires the version of debertac that runs. A debertac that was built from a checkout has no
published version: tell it where the checkout is (--replace), or which version to require (--version).

A module that exists already uses debertac from a checkout with these commands:
` + "  " + strings.Join(scaffold.FromCheckout(), "\n  ") + `

With --from the spec is the one that import writes for the model folder, the program makes the call that fits its head (--head chooses
another), and the weights are packed beside it. doc.go has the lines that make both again.

Examples:
  debertac init mails --labels ham,spam --replace path/to/debertac
  cd mails && go build .
  debertac init names --from ~/models/ner --replace path/to/debertac
  cd names && go run . names.weights "Angela Merkel visited Paris"`
}

// Run makes the folder.
func (v *initVerb) Run(c *console.Console) error { return v.Make(c) }
