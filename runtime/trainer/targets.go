package trainer

import (
	"maps"
	"slices"
	"strings"

	"github.com/debertac/debertac/runtime/ragged"
)

// checkNames refuses numbers of a batch that no loss would read, because their name is misspelt or because they are of the other kind.
func (p *Program) checkNames(b *Batch) error {
	for _, name := range slices.Sorted(maps.Keys(b.Integers)) {
		if err := p.checkName(name, false); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(b.Floats)) {
		if err := p.checkName(name, true); err != nil {
			return err
		}
	}
	return nil
}

// checkName refuses the name of a target that a program does not have, or whose numbers are of the other kind.
func (p *Program) checkName(name string, floats bool) error {
	field := map[bool]string{false: "Integers", true: "Floats"}
	var names []string
	for i := range p.Targets {
		t := &p.Targets[i]
		switch {
		case t.Name != name:
			names = append(names, t.Name)
		case t.Floats == floats:
			return nil
		default:
			return ragged.Errorf("%s[%q]: %s takes this target in %s", field[floats], name, p.Name, field[t.Floats])
		}
	}
	there := "it has none"
	if len(names) > 0 {
		there = "it has " + strings.Join(names, ", ")
	}
	return ragged.Errorf("%s[%q]: %s has no such target (%s)", field[floats], name, p.Name, there)
}
