package hf

import (
	"fmt"
	"slices"
	"strings"
)

// Effect is what a file or a field of a model folder does here.
type Effect string

// The three effects. There is no fourth: what no table has is refused.
const (
	Applied  Effect = "applied"  // it decides something
	Harmless Effect = "harmless" // it changes no result, for the reason in the table
	Refused  Effect = "refused"  // it could change results and is not understood
)

// Row is a file or a field of a model folder.
type Row struct {
	File   string   // path in the folder, or a pattern of path.Match
	Field  string   // "" the file as a whole
	Effect Effect   //
	Why    string   // what it decides, why it changes nothing, or what to do
	Values []string // of Harmless: the values, as JSON, that change nothing; every other one is refused. nil: any value
}

// group is rows that have their effect and its reason in common.
type group struct {
	effect Effect
	names  string // with spaces between
	why    string
	values []string
}

// allows reports whether a value, as JSON, changes nothing. null is the absence of a field.
func (g *group) allows(value string) bool {
	return value == "null" || g.effect == Harmless && (g.values == nil || slices.Contains(g.values, value))
}

// find returns the group with a name; nil if none has it.
func find(table []group, name string) *group {
	for i := range table {
		if slices.Contains(strings.Fields(table[i].names), name) {
			return &table[i]
		}
	}
	return nil
}

// names lists everything that a table has.
func names(table []group) (list []string) {
	for _, g := range table {
		list = append(list, strings.Fields(g.names)...)
	}
	return list
}

// refusal says why a value of a field is not taken.
func (g *group) refusal(value string) string {
	if len(g.values) == 0 {
		return fmt.Sprintf("= %s: no value of it is understood but null: %s", value, g.why)
	}
	return fmt.Sprintf("= %s: only %s is understood: %s", value, strings.Join(g.values, " or "), g.why)
}
