// Package version describes how this program was built.
package version

import (
	"runtime"
	"runtime/debug"

	"github.com/debertac/debertac/codegen/build"
)

// Language is the version of the spec language that this program reads: the number after dspec.
const Language = 1

// Info is how this program was built.
type Info struct {
	Version  string `json:"version"`            // of the module; "(devel)" when built from a work tree without tags
	Language int    `json:"language"`           // of .dspec files
	Go       string `json:"go"`                 // toolchain
	Platform string `json:"platform"`           // GOOS/GOARCH
	Revision string `json:"revision,omitempty"` // commit, with + if the work tree was changed
	Tags     string `json:"tags,omitempty"`     // build tags
}

// Read reads what the Go toolchain has recorded in this program.
func Read() Info {
	own := build.OwnStamp()
	b := Info{Version: own.Version, Revision: own.Revision, Language: Language, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "-tags" {
				b.Tags = s.Value
			}
		}
	}
	return b
}
