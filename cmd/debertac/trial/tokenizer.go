package trial

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/debertac/debertac/cmd/debertac/console"
	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/cmd/debertac/folder"
	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/runtime/token"
	"github.com/debertac/debertac/runtime/token/tokentest"
	"github.com/debertac/debertac/spec/hf"
)

// Tokenizer compares the tokenizers in a folder with their recorded encodings. ignore names files and fields that are left out.
func Tokenizer(c *console.Console, dir string, ignore []string, asJSON bool) error {
	st, err := disk.Stat(dir)
	if err != nil {
		return err
	}
	if !st.IsDir() {
		return fault.Input(dir, "this is a file, the folder of a tokenizer is wanted")
	}
	view, err := hf.NewView(disk.FS(dir, token.MaxFile), ignore)
	if err != nil {
		return fault.Input(dir, "%v", err)
	}
	for _, n := range view.Notes() {
		c.Note("%s: note: %s", dir, n)
	}
	compared, failed, err := tokentest.VerifyFS(view, func(line string) {
		if !asJSON {
			fmt.Fprintln(c.Out, line)
		}
	})
	var field *token.FieldError
	switch {
	case errors.As(err, &field):
		return folder.TokenizerFault(dir, dir, err)
	case err != nil:
		return fault.Input(dir, "%v", err)
	}
	if asJSON {
		err = json.NewEncoder(c.Out).Encode(map[string]any{"tokenizer": dir, "compared": compared, "failed": failed, "ok": failed == 0})
	} else {
		_, err = fmt.Fprintf(c.Out, "%s: %d of %d encodings are as recorded\n", dir, compared-failed, compared)
	}
	if err == nil && failed > 0 {
		return fault.NotHeld()
	}
	return err
}
