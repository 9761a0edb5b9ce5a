// Package console has the streams of the process, and decides how messages and progress look on them.
package console

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/spec/diag"
)

// Console holds the streams of the process for a verb, and decides how messages look on them.
type Console struct {
	Context  context.Context // of the one command that the process runs
	In       io.Reader
	Out      io.Writer
	Err      io.Writer
	Color    bool // messages go to a terminal that may be coloured
	Terminal bool // progress may be shown
	Quiet    bool // long work is not announced

	made map[string]string // names for messages of specs that were made from a folder and are not files
}

// Report prints an error in the form of all messages and returns the exit code.
func (c *Console) Report(err error) int {
	f := fault.Classify(c.Context, err)
	f.List, f.Files = c.shown(f.List, f.Files)
	fmt.Fprint(c.Err, f.Render(c.Color))
	return f.Code
}

// ShowAs makes messages about a spec that is not a file name the place that the spec was made from.
func (c *Console) ShowAs(name, place string) {
	if c.made == nil {
		c.made = map[string]string{}
	}
	c.made[name] = place
}

// shown returns messages in which the names of specs that are not files are replaced by places that the user knows.
func (c *Console) shown(list diag.List, files diag.Sources) (diag.List, diag.Sources) {
	if len(c.made) == 0 {
		return list, files
	}
	real := map[string]string{}
	for name, place := range c.made {
		real[place] = name
	}
	shown := make(diag.List, len(list))
	for i, d := range list {
		copied := *d
		copied.Notes = slices.Clone(d.Notes)
		spans := []*diag.Span{&copied.Span}
		for n := range copied.Notes {
			spans = append(spans, &copied.Notes[n].Span)
		}
		for _, s := range spans {
			if place, ok := c.made[s.File]; ok {
				s.File = place
			}
		}
		shown[i] = &copied
	}
	if files == nil {
		return shown, nil
	}
	return shown, func(file string) []byte {
		if name, ok := real[file]; ok {
			file = name
		}
		return files(file)
	}
}

// Warn prints warnings.
func (c *Console) Warn(list diag.List, files diag.Sources) {
	list, files = c.shown(list, files)
	fmt.Fprint(c.Err, diag.Render(list, files, diag.Style{Color: c.Color}))
}

// Note prints a line for people, on stderr, without control characters.
func (c *Console) Note(format string, args ...any) {
	fmt.Fprintln(c.Err, fault.Printable(fmt.Sprintf(format, args...)))
}

// Progress shows what is being done until stop is called. It shows it only on a terminal, and only if it takes a while.
func (c *Console) Progress(what string) (stop func()) {
	if !c.Terminal {
		return func() {}
	}
	done, ended := make(chan struct{}), make(chan struct{})
	begin := time.Now()
	go func() {
		defer close(ended)
		tick := time.NewTicker(500 * time.Millisecond)
		defer tick.Stop()
		for shown := false; ; shown = true {
			select {
			case <-tick.C:
				fmt.Fprintf(c.Err, "\r%s … %.0f s", what, time.Since(begin).Seconds())
			case <-done:
				if shown {
					fmt.Fprintf(c.Err, "\r%s\r", strings.Repeat(" ", len(what)+12))
				}
				return
			}
		}
	}()
	return func() { close(done); <-ended }
}

// Building is Progress for a build. A build that takes longer than a second is announced in a line of its own, on a terminal or not, because the
// first build on a machine compiles Go's standard library too.
func (c *Console) Building() (stop func()) {
	bar := c.Progress("building")
	if c.Quiet {
		return bar
	}
	line := "debertac: building the program with Go. This takes a few seconds, and up to a minute where Go's own cache is empty."
	if c.Terminal {
		line = "\r" + line // replaces the line of the progress
	}
	slow := time.AfterFunc(time.Second, func() { c.Note("%s", line) })
	return func() {
		slow.Stop()
		bar()
	}
}
