package program

import (
	"context"
	"flag"
	"fmt"
	"strings"

	"github.com/debertac/debertac/runtime/command"
	"github.com/debertac/debertac/runtime/engine"
)

type versionModel struct {
	Name     string        `json:"name"`
	SpecHash string        `json:"spec_sha256"`
	Layout   string        `json:"layout"`
	ISAs     []string      `json:"isas"`
	Limits   engine.Limits `json:"limits"`
}

type versionReport struct {
	command.Build
	Models []versionModel `json:"models"`
}

func newVersion(fs *flag.FlagSet) action {
	asJSON := fs.Bool("json", false, "print a JSON object")
	return func(_ context.Context, s *session, _ []string) error {
		r := versionReport{Build: command.ThisBuild(), Models: []versionModel{}}
		for _, m := range s.models {
			v := versionModel{Name: m.Name, SpecHash: m.Program.Want.SpecHash, Layout: m.Program.Want.Layout, Limits: m.Program.Limits}
			for _, i := range m.Program.ISAs {
				v.ISAs = append(v.ISAs, i.String())
			}
			r.Models = append(r.Models, v)
		}
		if *asJSON {
			return command.PrintJSON(s.Out, r)
		}
		fmt.Fprintln(s.Out, r.Build)
		for _, m := range r.Models {
			fmt.Fprintf(s.Out, "model %s: spec sha256 %.12s…, layout %s, kernels %s, up to %d tokens per text\n",
				m.Name, m.SpecHash, m.Layout, strings.Join(m.ISAs, " "), m.Limits.SequenceTokens)
		}
		return nil
	}
}
