package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/debertac/debertac/codegen/build"
)

// languageVersion is the version of the spec language that this program reads: the number behind dspec.
const languageVersion = 1

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

// buildInfo is how this program was built.
type buildInfo struct {
	Version  string `json:"version"`            // of the module; "(devel)" when built from a work tree without tags
	Language int    `json:"language"`           // of .dspec files
	Go       string `json:"go"`                 // toolchain
	Platform string `json:"platform"`           // GOOS/GOARCH
	Revision string `json:"revision,omitempty"` // commit, with + if the work tree was changed
	Tags     string `json:"tags,omitempty"`     // build tags
}

func readBuildInfo() buildInfo {
	own := build.OwnStamp()
	b := buildInfo{Version: own.Version, Revision: own.Revision, Language: languageVersion, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "-tags" {
				b.Tags = s.Value
			}
		}
	}
	return b
}

// Run prints the version.
func (v *versionVerb) Run(a *app) error {
	b := readBuildInfo()
	if v.JSON {
		return json.NewEncoder(a.out).Encode(b)
	}
	parts := []string{b.Go, b.Platform}
	if b.Revision != "" {
		parts = append(parts, "commit "+b.Revision)
	}
	if b.Tags != "" {
		parts = append(parts, "tags "+b.Tags)
	}
	_, err := fmt.Fprintf(a.out, "debertac %s\nlanguage dspec %d\nbuilt with %s\n", b.Version, b.Language, strings.Join(parts, ", "))
	return err
}
