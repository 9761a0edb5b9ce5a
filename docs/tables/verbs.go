package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// verbs builds debertac and returns the help that it prints for every verb.
func verbs(ctx context.Context) (string, error) {
	dir, err := os.MkdirTemp("", "debertac-docs-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	bin := filepath.Join(dir, "debertac.exe")
	build := exec.CommandContext(ctx, "go", "build", "-o", bin, "github.com/debertac/debertac/cmd/debertac")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building debertac: %w\n%s", err, out)
	}
	help := func(args ...string) (string, error) {
		cmd := exec.CommandContext(ctx, bin, append(args, "--help")...)
		cmd.Env = append(os.Environ(), "COLUMNS=100")
		out, err := cmd.Output()
		return strings.ReplaceAll(string(out), "\r\n", "\n"), err
	}
	all, err := help()
	if err != nil {
		return "", err
	}
	var b strings.Builder
	_, list, _ := strings.Cut(all, "\nCommands:\n")
	for line := range strings.Lines(list) {
		name, ok := strings.CutPrefix(line, "  ")
		if !ok {
			break
		}
		if strings.HasPrefix(name, " ") {
			continue // a description's second line
		}
		name = strings.Fields(name)[0]
		page, err := help(name)
		if err != nil {
			return "", fmt.Errorf("%s: %w", name, err)
		}
		fmt.Fprintf(&b, "\n### `%s`\n\n```text\n%s\n```\n", name, strings.TrimSpace(page))
	}
	if b.Len() == 0 {
		return "", errors.New("the help lists no verbs")
	}
	return b.String(), nil
}
