package program

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// progress is the bar of run. It counts bytes of the input, as only those have a known total. It is drawn here and not by a library: the usual
// ones import an HTTP server, which more than doubles the time of a first build.
type progress struct {
	w     io.Writer // nil: nobody watches
	in    *input
	begin time.Time
	last  time.Time
	now   func() time.Time
}

// progressEvery is how often the bar is drawn.
const progressEvery = 100 * time.Millisecond

// newProgress draws a bar on standard error if a person sees it and results do not keep running through it: they go elsewhere, or only a few
// are printed.
func newProgress(s *session, in *input, quiet, few bool) *progress {
	p := &progress{in: in, now: time.Now}
	if !quiet && s.ErrTerminal && (few || !s.OutTerminal) && in.read != nil {
		p.w = s.Err
	}
	p.begin = p.now()
	return p
}

// eraseLine takes the cursor to the start of the line and clears it.
const eraseLine = "\r\x1b[K"

// update draws the bar for texts that are done, up to byte read of the input. A bar that cannot be drawn is no reason to stop.
func (p *progress) update(texts int, read int64) {
	now := p.now()
	if p.w == nil || now.Sub(p.last) < progressEvery {
		return
	}
	p.last = now
	sec := now.Sub(p.begin).Seconds()
	rate := fmt.Sprintf("%d texts, %.0f a second", texts, float64(texts)/max(sec, 1e-9))
	if p.in.size <= 0 {
		fmt.Fprintf(p.w, "%s%s", eraseLine, rate)
		return
	}
	share := min(float64(read)/float64(p.in.size), 1)
	left := "?"
	if share > 0 {
		left = time.Duration(sec * (1 - share) / share * float64(time.Second)).Round(time.Second).String()
	}
	cells := bar(float32(share))
	cells += strings.Repeat(" ", barCells-len([]rune(cells)))
	fmt.Fprintf(p.w, "%s%3.0f %% |%s| %s, %s left", eraseLine, 100*share, cells, rate, left)
}

// finish takes the bar away.
func (p *progress) finish() {
	if p.w != nil && !p.last.IsZero() {
		fmt.Fprint(p.w, eraseLine)
	}
}
