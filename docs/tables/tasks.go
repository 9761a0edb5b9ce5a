package main

import (
	"context"
	"strings"

	"github.com/debertac/debertac/runtime/tasktable"
)

// tasks writes the table of the tasks of heads, with a sample head for each.
func tasks(context.Context) (string, error) {
	var b strings.Builder
	b.WriteString("\n")
	row(&b, "what a head's numbers are", "such a head in a spec", "page")
	row(&b, "---", "---", "---")
	for _, r := range tasktable.Table {
		row(&b, r.Numbers, "`"+strings.ReplaceAll(r.Sample, "|", "\\|")+"`", "["+string(r.Task)+"]("+r.Page+")")
	}
	b.WriteString("\n")
	return b.String(), nil
}
