package hf

import (
	"fmt"
	"slices"
	"strings"
)

// Effect describes what a file or a field of a model folder does.
type Effect string

// The three effects. There is no fourth: a file or field that no table lists is refused.
const (
	Applied  Effect = "applied"  // it decides something
	Harmless Effect = "harmless" // it changes no result, for the reason in the table
	Refused  Effect = "refused"  // it could change results and is not understood
)

// Row is a file or a field of a model folder.
type Row struct {
	File   string   // path in the folder, or a pattern of path.Match
	Field  string   // "": the file as a whole
	Effect Effect   //
	Why    string   // what it decides, why it changes nothing, or what to do
	Values []string // for Harmless: the values, as JSON, that change nothing; every other value is refused. nil: any value
}

// group is a set of rows with the same effect and the same reason.
type group struct {
	effect Effect
	names  string // separated by spaces
	why    string
	values []string
}

// allows reports whether a value, as JSON, changes nothing. null counts as a missing field.
func (g *group) allows(value string) bool {
	return value == "null" || g.effect == Harmless && (g.values == nil || slices.Contains(g.values, value))
}

// find returns the group that has a name, or nil.
func find(table []group, name string) *group {
	for i := range table {
		if slices.Contains(strings.Fields(table[i].names), name) {
			return &table[i]
		}
	}
	return nil
}

// names lists all names of a table.
func names(table []group) (list []string) {
	for _, g := range table {
		list = append(list, strings.Fields(g.names)...)
	}
	return list
}

// refusal returns the reason why a value of a field is refused.
func (g *group) refusal(value string) string {
	if len(g.values) == 0 {
		return fmt.Sprintf("= %s: no value of it is understood but null: %s", value, g.why)
	}
	return fmt.Sprintf("= %s: only %s is understood: %s", value, strings.Join(g.values, " or "), g.why)
}
