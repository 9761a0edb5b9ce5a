package program

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/debertac/debertac/runtime/command"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/gauge"
)

// emit prints one result and counts it.
func (l *job) emit(r *record, o outcome) error {
	if err := l.reportBefore(r.place); err != nil {
		return err
	}
	if l.on("accuracy") {
		right, err := o.(*classified).right(r)
		if err != nil {
			return l.refuse(r, err)
		}
		if right {
			l.right++
		}
	}
	l.texts++
	l.count(o)
	if l.examples >= 0 && l.texts > l.examples {
		return nil
	}
	return l.print(r, o)
}

// print prints one result. NaN or Inf in it is reported as damaged weights.
func (l *job) print(r *record, o outcome) error {
	v := o.object()
	if v == nil { // the result comes at the end of the run
		return nil
	}
	text, err := command.JSONLine(v)
	if err != nil {
		return faulty(r.where(), "the result has NaN or Inf in it (%v): the weights may be damaged, see doctor", err)
	}
	if l.asJSON {
		return l.page.object(r, text)
	}
	if g, ok := o.(*generated); !ok || !g.streamed { // otherwise it was printed before the text
		l.page.passed(r)
	}
	o.show(l.page, r)
	return nil
}

// summary prints on standard error how fast the run was and how many texts were cut.
func (l *job) summary(core *engine.Core, took time.Duration) {
	if l.quiet {
		return
	}
	if len(l.unread) > 0 {
		fmt.Fprintf(l.Err, "note: fields of the input that this task does not read: %s (the settings of a text: %s)\n",
			command.Shorten(strings.Join(l.unread, ", "), 200), strings.Join(l.fields.more, ", "))
	}
	o := core.Options()
	sec := math.Max(took.Seconds(), 1e-9)
	cut := "none was cut"
	switch {
	case l.cut > 0 && l.own > 0:
		cut = fmt.Sprintf("%d of them cut, %d at a limit of its own", l.cut, l.own)
		if l.own > 1 {
			cut = fmt.Sprintf("%d of them cut, %d at limits of their own", l.cut, l.own)
		}
	case l.cut > 0:
		cut = fmt.Sprintf("%d of them cut at %d tokens", l.cut, o.MaxTokens)
	}
	fmt.Fprintf(l.Err, "%s, %s in %s: %.1f texts/s, %.0f tokens/s on %s with %s; %s\n",
		command.Plural(l.texts, "text"), command.Plural(l.tokens, "token"), seconds(took), float64(l.texts)/sec, float64(l.tokens)/sec, o.ISA,
		command.Plural(o.Threads, "thread"), cut)
}

// seconds returns a time with three digits.
func seconds(d time.Duration) string {
	switch {
	case d >= time.Minute:
		return d.Round(time.Second).String()
	case d >= time.Second:
		return fmt.Sprintf("%.2f s", d.Seconds())
	}
	return fmt.Sprintf("%.3g ms", gauge.MS(d))
}

// judge prints the accuracy on standard error, as summary does with the other figures. It returns an error if the accuracy is below the minimum.
func (l *job) judge() error {
	if l.texts == 0 {
		return faulty("", "the input has no texts to compute an accuracy of")
	}
	share := 100 * float64(l.right) / float64(l.texts)
	fmt.Fprintf(l.Err, "accuracy %.2f %% (%d of %d)\n", share, l.right, l.texts)
	least := l.real("min-accuracy")
	if share < least {
		return &command.CheckError{Text: fmt.Sprintf("the accuracy of %.2f %% is below %v %%", share, least)}
	}
	return nil
}
