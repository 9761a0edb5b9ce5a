// Attentionset writes the portable forms of the attentions that the checked-in
// package generated/kernels holds. Run it by "go generate ./generated/kernels".
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
	text, err := codegen.AttentionSampleFile()
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "attn_generic.go"), text, 0o644)
}
