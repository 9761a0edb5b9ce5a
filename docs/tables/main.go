// Tables fills in the parts of the documentation that are made from the code: the text between a line "<!-- generated: NAME -->" and the next "<!--
// end -->". Run it by "go generate ./docs".
//
// Usage: tables FOLDER
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// pages are the files that have generated parts.
var pages = []string{"language.md", "cli.md", "zoo.md", "inputs.md", "tasks/README.md"}

// parts has the functions that make the parts, by name.
var parts = map[string]func(context.Context) (string, error){
	"words":  words,
	"codes":  codes,
	"models": models,
	"verbs":  verbs,
	"files":  inputFiles,
	"fields": inputFields,
	"tasks":  tasks,
	"counts": counts, "ablations": ablations,
}

const (
	begin = "<!-- generated: "
	shut  = " -->\n"
	end   = "<!-- end -->"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: tables FOLDER")
		os.Exit(2)
	}
	for _, name := range pages {
		path := filepath.Join(os.Args[1], name)
		if err := rewrite(context.Background(), path); err != nil {
			fmt.Fprintf(os.Stderr, "tables: %s: %v\n", path, err)
			os.Exit(1)
		}
	}
}

// rewrite makes the generated parts of one page again.
func rewrite(ctx context.Context, path string) error {
	have, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	want, err := fill(ctx, string(have))
	if err != nil || bytes.Equal(have, []byte(want)) {
		return err
	}
	return os.WriteFile(path, []byte(want), 0o644)
}

// fill returns a page's text with its generated parts made anew.
func fill(ctx context.Context, text string) (string, error) {
	var b strings.Builder
	n := 0
	for {
		before, rest, found := strings.Cut(text, begin)
		b.WriteString(before)
		if !found {
			break
		}
		name, rest, ok := strings.Cut(rest, shut)
		part := parts[name]
		if !ok || part == nil {
			return "", fmt.Errorf("there is no generated part %q", name)
		}
		_, rest, ok = strings.Cut(rest, end)
		if !ok {
			return "", fmt.Errorf("the generated part %s has no end", name)
		}
		made, err := part(ctx)
		if err != nil {
			return "", fmt.Errorf("%s: %w", name, err)
		}
		b.WriteString(begin + name + shut + "\n" + strings.Trim(made, "\n") + "\n\n" + end)
		text = rest
		n++
	}
	if n == 0 {
		return "", errors.New("the page has no generated part")
	}
	return b.String(), nil
}

// cell makes text fit a cell of a Markdown table.
func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }

// code formats text as code in a cell. Empty text stays empty.
func code(s string) string {
	if s == "" {
		return ""
	}
	return "`" + cell(s) + "`"
}

// row writes a row of a table.
func row(b *strings.Builder, cells ...string) {
	b.WriteString("| " + strings.Join(cells, " | ") + " |\n")
}
