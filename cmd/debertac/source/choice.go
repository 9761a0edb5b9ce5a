package source

import (
	"github.com/debertac/debertac/cmd/debertac/fault"
)

// Choice holds the flags that select a part of a spec.
type Choice struct {
	Target string `placeholder:"NAME" help:"Target of the spec. Default: the first."`
	Emit   string `placeholder:"NAME" help:"The one output of the target to use: MODEL, MODEL.HEAD, or the name of an ensemble or a training. Default: all."`
}

// Narrow makes --head select what a spec emits. For a folder it changes nothing, because the folder's own spec has only the head that was asked for.
func (c *Choice) Narrow(src *Source, isFolder bool, head string) error {
	if head == "" || isFolder {
		return nil
	}
	if c.Emit != "" {
		return fault.Usage("give one of them", "--head %s and --emit %s both choose what is emitted", head, c.Emit)
	}
	h, err := findHead(src, head)
	if err == nil {
		c.Emit = h.FullName()
	}
	return err
}
