package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/debertac/debertac/cmd/debertac/console"
	"github.com/debertac/debertac/cmd/debertac/version"
)

type versionVerb struct {
	JSON bool `name:"json" help:"Print a JSON object."`
}

// Help is the long help.
func (versionVerb) Help() string {
	return `Prints the version of debertac, the version of the spec language that it reads, and how it was built: Go's version, the platform,
and the commit if Go recorded it.

Example:
  debertac version`
}

// Run prints the version.
func (v *versionVerb) Run(c *console.Console) error {
	b := version.Read()
	if v.JSON {
		return json.NewEncoder(c.Out).Encode(b)
	}
	parts := []string{b.Go, b.Platform}
	if b.Revision != "" {
		parts = append(parts, "commit "+b.Revision)
	}
	if b.Tags != "" {
		parts = append(parts, "tags "+b.Tags)
	}
	_, err := fmt.Fprintf(c.Out, "debertac %s\nlanguage dspec %d\nbuilt with %s\n", b.Version, b.Language, strings.Join(parts, ", "))
	return err
}
