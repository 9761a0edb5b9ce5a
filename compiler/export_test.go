package compiler

import (
	"fmt"

	"github.com/debertac/debertac/ir"
)

// RunPass runs one pass on a program.
func RunPass(name string, p *ir.Program) error {
	for _, ps := range passes {
		if ps.name == name {
			return ps.run(p)
		}
	}
	return fmt.Errorf("no pass is named %q", name)
}
