// Attentionset writes the Go functions of the attentions that the checked-in
// package generated/kernels holds: the portable form of each and, for each
// instruction set, the function around the micro kernels that sampleset writes.
// Run it by "go generate ./generated/kernels".
//
// Usage: attentionset FOLDER
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/debertac/debertac/codegen"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: attentionset FOLDER")
		os.Exit(2)
	}
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "attentionset:", err)
		os.Exit(1)
	}
}

// write brings the folder up to date.
func write(dir string) error {
	files, err := codegen.AttentionSamplePackage()
	if err != nil {
		return err
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}
