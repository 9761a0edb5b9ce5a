package program

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// progress is the progress bar of run. It counts bytes of the input, because only their total is known. This package draws it itself: the usual
// libraries import an HTTP server, which more than doubles the time of a first build.
type progress struct {
	w     io.Writer // nil: nobody watches
	in    *input
	begin time.Time
	last  time.Time
	now   func() time.Time
}

// progressEvery is how often the bar is drawn.
const progressEvery = 100 * time.Millisecond

// newProgress returns a bar that is drawn on standard error if this is a terminal, unless quiet is set. If results go to a terminal too, they would
// run through the bar, so it is then drawn only if few is set: only few of the results are printed.
func newProgress(s *session, in *input, quiet, few bool) *progress {
	p := &progress{in: in, now: time.Now}
	if !quiet && s.ErrTerminal && (few || !s.OutTerminal) && in.read != nil {
		p.w = s.Err
	}
	p.begin = p.now()
	return p
}

// eraseLine moves the cursor to the start of the line and clears the line.
const eraseLine = "\r\x1b[K"

// update draws the bar. texts is the number of texts that are done, read the number of bytes of the input up to there. Errors of drawing are ignored.
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

// finish removes the bar.
func (p *progress) finish() {
	if p.w != nil && !p.last.IsZero() {
		fmt.Fprint(p.w, eraseLine)
	}
}
