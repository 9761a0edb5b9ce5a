package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/debertac/debertac/spec/hf"
)

// inputFiles writes the table of what the files of a model folder do.
func inputFiles(context.Context) (string, error) {
	var b strings.Builder
	row(&b, "file", "here", "because")
	row(&b, "---", "---", "---")
	effects(&b, hf.Files(), func(r hf.Row) string { return r.File })
	return b.String(), nil
}

// inputFields writes the tables of what the fields of each JSON file do.
func inputFields(context.Context) (string, error) {
	var b strings.Builder
	for _, in := range hf.Fields() {
		fmt.Fprintf(&b, "\n### `%s`\n\n", in.File)
		row(&b, "field", "here", "because")
		row(&b, "---", "---", "---")
		effects(&b, in.Fields, func(r hf.Row) string { return r.Field })
	}
	return b.String(), nil
}

// effects writes one row for each run of names with the same effect and the same reason.
func effects(b *strings.Builder, rows []hf.Row, name func(hf.Row) string) {
	for i := 0; i < len(rows); {
		var names []string
		j := i
		for ; j < len(rows) && rows[j].Effect == rows[i].Effect && rows[j].Why == rows[i].Why; j++ {
			names = append(names, code(name(rows[j])))
		}
		effect := string(rows[i].Effect)
		if v := rows[i].Values; v != nil {
			effect += " if " + code(strings.Join(v, " or ")) + ", else refused"
		}
		row(b, strings.Join(names, ", "), effect, cell(rows[i].Why))
		i = j
	}
}
