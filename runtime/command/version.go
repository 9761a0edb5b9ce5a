package command

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
)

// Version and Revision are the version of the debertac that built the binary, and its commit (with + at its end if its work tree had changes; ""
// if not recorded). The build sets them by the linker's -X.
var (
	Version  = "(unknown)"
	Revision = ""
)

// Build describes how a binary was built.
type Build struct {
	Debertac string `json:"debertac"`
	Revision string `json:"revision,omitempty"`
	Go       string `json:"go"`
	OS       string `json:"os"`
	Arch     string `json:"arch"`
}

// ThisBuild describes the running binary.
func ThisBuild() Build {
	return Build{Debertac: Version, Revision: Revision, Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH}
}

// String describes the build in one line.
func (b Build) String() string {
	commit := ""
	if b.Revision != "" {
		commit = ", commit " + b.Revision
	}
	return fmt.Sprintf("debertac %s%s, built with %s for %s/%s", b.Debertac, commit, b.Go, b.OS, b.Arch)
}

// PrintJSON writes one object per line, with < and > as they are.
func PrintJSON(w io.Writer, v any) error {
	text, err := JSONLine(v)
	if err == nil {
		_, err = w.Write(text)
	}
	return err
}

// JSONLine returns a value as a line of JSON. Numbers that JSON does not have are an error.
func JSONLine(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return b.Bytes(), err
}
