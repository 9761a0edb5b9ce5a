package program

import (
	"fmt"
	"time"

	"github.com/schollz/progressbar/v3"
)

// progress is the bar of run. It counts bytes of the input, as only those have a known total.
type progress struct {
	bar *progressbar.ProgressBar // nil: nobody watches
	in  *input
}

// newProgress draws a bar on standard error if a person sees it and results go elsewhere.
func newProgress(s *session, in *input, quiet bool) *progress {
	p := &progress{in: in}
	if quiet || !s.ErrTerminal || s.OutTerminal || in.read == nil {
		return p
	}
	p.bar = progressbar.NewOptions64(in.size,
		progressbar.OptionSetWriter(s.Err),
		progressbar.OptionShowBytes(true),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionClearOnFinish(),
	)
	return p
}

// update moves the bar to what has been read of the input.
func (p *progress) update(texts int) {
	if p.bar == nil {
		return
	}
	p.bar.Describe(fmt.Sprintf("%d texts", texts))
	p.bar.Set64(p.in.read.n.Load()) // a bar that cannot be drawn is no reason to stop
}

// finish takes the bar away.
func (p *progress) finish() {
	if p.bar != nil {
		p.bar.Exit() // likewise
	}
}
