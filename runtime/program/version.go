package program

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	goruntime "runtime"
	"strings"

	"github.com/debertac/debertac/runtime/engine"
)

// Version and Revision are the version of the debertac that built the binary, and its commit (with + at its end if its work tree had changes; ""
// if not recorded). The build sets them by the linker's -X.
var (
	Version  = "(unknown)"
	Revision = ""
)

type versionModel struct {
	Name     string        `json:"name"`
	SpecHash string        `json:"spec_sha256"`
	Layout   string        `json:"layout"`
	ISAs     []string      `json:"isas"`
	Limits   engine.Limits `json:"limits"`
}

type versionReport struct {
	Debertac string         `json:"debertac"`
	Revision string         `json:"revision,omitempty"`
	Go       string         `json:"go"`
	OS       string         `json:"os"`
	Arch     string         `json:"arch"`
	Models   []versionModel `json:"models"`
}

func newVersion(fs *flag.FlagSet) action {
	asJSON := fs.Bool("json", false, "print a JSON object")
	return func(_ context.Context, s *session, _ []string) error {
		r := versionReport{Debertac: Version, Revision: Revision, Go: goruntime.Version(), OS: goruntime.GOOS, Arch: goruntime.GOARCH, Models: []versionModel{}}
		for _, m := range s.models {
			v := versionModel{Name: m.Name, SpecHash: m.Program.Want.SpecHash, Layout: m.Program.Want.Layout, Limits: m.Program.Limits}
			for _, i := range m.Program.ISAs {
				v.ISAs = append(v.ISAs, i.String())
			}
			r.Models = append(r.Models, v)
		}
		if *asJSON {
			return printJSON(s.Out, r)
		}
		commit := ""
		if r.Revision != "" {
			commit = ", commit " + r.Revision
		}
		fmt.Fprintf(s.Out, "debertac %s%s, built with %s for %s/%s\n", r.Debertac, commit, r.Go, r.OS, r.Arch)
		for _, m := range r.Models {
			fmt.Fprintf(s.Out, "model %s: spec sha256 %.12s…, layout %s, kernels %s, up to %d tokens per text\n",
				m.Name, m.SpecHash, m.Layout, strings.Join(m.ISAs, " "), m.Limits.SequenceTokens)
		}
		return nil
	}
}

// printJSON writes one object per line, with < and > as they are.
func printJSON(w io.Writer, v any) error {
	text, err := jsonLine(v)
	if err == nil {
		_, err = w.Write(text)
	}
	return err
}

// jsonLine returns a value as a line of JSON. Numbers that JSON does not have are an error.
func jsonLine(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return b.Bytes(), err
}
