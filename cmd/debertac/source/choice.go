package source

import (
	"github.com/debertac/debertac/cmd/debertac/fault"
)

// Choice are the flags by which a verb picks a part of a spec.
type Choice struct {
	Target string `placeholder:"NAME" help:"Target of the spec. Default: the first."`
	Emit   string `placeholder:"NAME" help:"The one output of the target to use: MODEL or MODEL.HEAD. Default: all."`
}

// Narrow makes --head of a spec the choice of what is emitted. A folder's own spec has just the head that was asked for.
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
