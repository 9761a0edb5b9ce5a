// Command mutate measures what the tests of this project find. It changes one place of a package, such as < to <=, runs the package's tests with -short, and
// reports the changes that no test notices: a test is missing there, or the change makes no difference. The tree is never written: the go command reads the
// changed file through an overlay.
//
//	go run ./mutate [flags] packages       a sample of the mutants of these packages
//	go run ./mutate -since main            those in lines that changed since the branch left main
//
// These are the mutants:
//
//   - a comparison moves by its boundary (< and <=);
//   - == and !=, + and -, && and || change places;
//   - a number becomes one more or one less;
//   - a statement is removed;
//   - a returned error becomes nil.
//
// Two runs with the same seed try the same mutants in the same order.
//
// A mutant counts as found if the tests fail, do not end in time, or take too much memory. A line that no test runs counts as missed, without a trial. A mutant
// that does not compile does not count.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"
)

// settings are the flags.
type settings struct {
	most     int
	since    string
	seed     uint64
	duration time.Duration
	grace    time.Duration // that a mutant's tests may take beyond timeFactor times the usual
	least    float64
	all      bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	s := settings{grace: timeMore}
	flag.IntVar(&s.most, "n", 40, "most mutants per package; 0: all")
	flag.StringVar(&s.since, "since", "", "only lines that changed since the branch left this commit or branch")
	flag.Uint64Var(&s.seed, "seed", 1, "decides which mutants are tried; 1 or more")
	flag.DurationVar(&s.duration, "for", 20*time.Minute, "when this time is over, no further mutant is tried")
	flag.Float64Var(&s.least, "min", 0, "exit with 1 if less than this percentage is found")
	flag.BoolVar(&s.all, "v", false, "also print the mutants that are found")
	flag.Parse()
	err := s.check(flag.Args())
	if err == nil {
		err = s.mutate(ctx, flag.Args(), os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(1)
	}
}

// check returns an error for settings that have no meaning.
func (s *settings) check(patterns []string) error {
	switch {
	case s.most < 0:
		return fmt.Errorf("-n is %d: it must be 0 or more", s.most)
	case s.seed < 1:
		return errors.New("-seed is 0: it must be 1 or more")
	case !(0 <= s.least && s.least <= 100):
		return fmt.Errorf("-min is %v: it must be from 0 to 100", s.least)
	case len(patterns) == 0 && s.since == "":
		return errors.New("no packages: name some, such as ./runtime/task, or set -since main for the packages of a change")
	}
	return nil
}

// mutate tries the mutants of all packages, and prints what survives and the score by package.
func (s *settings) mutate(ctx context.Context, patterns []string, w io.Writer) (err error) {
	end := time.Now().Add(s.duration)
	list, err := packages(ctx, patterns, s.since)
	if err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "mutate-*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	var total tally
	var summary []string
	for _, p := range list {
		t, err := newTrial(ctx, p, folder, s.seed, s.grace)
		if err != nil {
			return err
		}
		if len(t.list) == 0 {
			continue
		}
		c, err := s.sample(ctx, t, end, w)
		if err != nil && ctx.Err() == nil {
			return err
		}
		for i, n := range c.count {
			total.count[i] += n
		}
		total.left += c.left
		summary = append(summary, fmt.Sprintf("%s (tests take %.1f s)", c.line(p.name), t.first.Seconds()))
		if ctx.Err() != nil {
			break
		}
	}
	for _, line := range summary {
		fmt.Fprintln(w, line)
	}
	if len(summary) != 1 {
		fmt.Fprintln(w, total.line("all"))
	}
	if ctx.Err() != nil {
		return fmt.Errorf("interrupted: %w", ctx.Err())
	}
	if total.score() < s.least {
		return fmt.Errorf("%.1f %% of the mutants are found, at least %v %% are expected: add tests that fail for the mutants above", total.score(), s.least)
	}
	return nil
}

// sample tries mutants of one package until there are enough, or the time is over.
func (s *settings) sample(ctx context.Context, t *trial, end time.Time, w io.Writer) (c tally, err error) {
	tried := 0
	for i := range t.list {
		if s.most > 0 && tried == s.most {
			break
		}
		if time.Now().After(end) {
			c.left = len(t.list) - i
			if s.most > 0 {
				c.left = min(c.left, s.most-tried)
			}
			break
		}
		m := &t.list[i]
		o, err := t.try(ctx, m)
		if ctx.Err() != nil {
			c.left = len(t.list) - i
		}
		if err != nil {
			return c, err
		}
		c.count[o]++
		if o != unviable {
			tried++
		}
		word := map[outcome]string{survived: "no test fails", uncovered: "no test runs this"}[o]
		if o == killed && s.all {
			word = "found"
		}
		if word != "" {
			fmt.Fprintf(w, "%s/%s:%d:%d: %s: %s\n%s", t.name, m.file, m.line, m.column, word, m.kind, m.diff(t.sources[m.file]))
		}
	}
	return c, nil
}

// line is a row of the summary.
func (t *tally) line(name string) string {
	n := t.count
	s := fmt.Sprintf("%s: %.0f %% found: %d of %d, %d survived, %d in lines that no test runs; %d did not compile",
		name, t.score(), n[killed], n[killed]+n[survived]+n[uncovered], n[survived], n[uncovered], n[unviable])
	if t.left > 0 {
		s += fmt.Sprintf("; %d not tried", t.left)
	}
	return s
}
