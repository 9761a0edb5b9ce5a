// Sampleset writes the checked-in package of kernels, generated/kernels. It holds every family and instruction set, for the sample shapes of the families. Run
// it by "go generate ./generated/kernels".
//
// Usage: sampleset FOLDER
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/debertac/debertac/codegen/kernel"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: sampleset FOLDER")
		os.Exit(2)
	}
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "sampleset:", err)
		os.Exit(1)
	}
}

// write brings the folder up to date: it writes the files and removes orphans.
func write(dir string) error {
	files, err := kernel.SamplePackage()
	if err != nil {
		return err
	}
	for _, pattern := range kernel.SampleFiles {
		old, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return err
		}
		for _, path := range old {
			if files[filepath.Base(path)] == nil {
				if err := os.Remove(path); err != nil {
					return err
				}
			}
		}
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}
