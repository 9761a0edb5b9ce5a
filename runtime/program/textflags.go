package program

import (
	"errors"
	"flag"
	"fmt"
	"strings"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/engine"
)

// textFlags holds the flags of verbs that compute texts: how texts are read, and what becomes of those that are too long.
type textFlags struct {
	special, long, join    string
	maxTokens, batchTokens int
}

func (f *textFlags) register(t *tableFlags, fs *flag.FlagSet) {
	t.declareAll(fs, map[string]any{
		"special": &f.special, "long": &f.long, "join": &f.join, "max-tokens": &f.maxTokens, "batch-tokens": &f.batchTokens,
	})
}

// options turns the flags into options. Wrong values are usage errors.
func (f *textFlags) options(given map[string]bool) ([]runtime.Option, error) {
	long, err := runtime.ParseLong(f.long)
	if err != nil {
		return nil, usage("--long: %v", err)
	}
	opts := []runtime.Option{runtime.Long(long)}
	if f.join == "max" {
		opts = append(opts, runtime.JoinWindows(runtime.JoinMax))
	}
	if f.special == "tokens" {
		opts = append(opts, runtime.Special(runtime.SpecialAsTokens))
	}
	if f.maxTokens > 0 {
		opts = append(opts, runtime.MaxTokens(f.maxTokens))
	}
	if f.batchTokens > 0 {
		opts = append(opts, runtime.BatchTokens(f.batchTokens))
	}
	if given["join"] && !strings.HasPrefix(f.long, "windows") {
		return nil, usage("--join needs --long windows:STRIDE: without windows there is nothing to join")
	}
	return opts, nil
}

// withinProgram returns an error for sizes that the program was not built for. The error tells how to build a program for them.
func (f *textFlags) withinProgram(o *openFlags, s *session) error {
	m, err := o.pick(s)
	if err != nil {
		return err
	}
	l := m.Program.Limits
	switch {
	case f.maxTokens > l.SequenceTokens:
		return usage("--max-tokens %d: this program was built for texts of up to %d tokens; debertac run MODEL_FOLDER --seq %d builds one for more (in a "+
			"spec: dim seq <= %d)",
			f.maxTokens, l.SequenceTokens, f.maxTokens, f.maxTokens)
	case f.batchTokens > l.BatchTokens:
		return usage("--batch-tokens %d: this program was built to compute up to %d tokens together (in a spec: tokens <= %d in the target)", f.batchTokens,
			l.BatchTokens, f.batchTokens)
	}
	return nil
}

// ofFlag turns the error for a setting that the model cannot work with into a usage error that names the flag.
func (f *textFlags) ofFlag(err error) error {
	var bad *engine.SettingError
	if !errors.As(err, &bad) {
		return err
	}
	flag := "--long " + f.long
	if bad.Option == "MaxTokens" {
		flag = fmt.Sprintf("--max-tokens %d", f.maxTokens)
	}
	return usage("%s: %s", flag, bad.Reason)
}
