package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/debertac/debertac/spec"
)

// step is one row of Table 13: a model, and how many million parameters the paper reports.
type step struct {
	name  string
	model string // its statements
	paper int64
}

// What the steps add to v1, as the v2 models have it.
const (
	shared      = "encoder.attention { kr = k(rel); qr = q(rel) }"
	convolution = "encoder.conv { kernel 3; act gelu; beside layer 1 }"
)

// steps are the rows of Table 13. Each model but the second is like the one before it.
var steps = []step{
	{"RoBERTa base", "model m like roberta_base { }", 120},
	{"DeBERTa base", "model m like deberta_base { }", 134},
	{"+ shared projections", "model m like deberta_base { checkpoint own; " + shared + " }", 120},
	{"+ convolution", "model m like deberta_base { checkpoint own; " + shared + "; " + convolution + " }", 122},
	{"+ vocabulary of 128 100", "model m like deberta_base { checkpoint own; dim vocab = 128_100; " + shared + "; " + convolution + " }", 190},
}

// count returns the parameters of a step, without those of heads and of positions that only a decoder reads.
func (s *step) count() (int64, error) {
	resolved, faults := spec.ParseAndResolve("t13.dspec", []byte("dspec 1\n"+s.model+"\n"))
	if resolved == nil || resolved.Model("m") == nil {
		return 0, fmt.Errorf("%s: %v", s.name, faults)
	}
	return spec.Params(resolved.Model("m")), nil
}

// parameters makes Table 13.
func parameters(context.Context, *lab) (*result, error) {
	r := &result{columns: []string{"model", "paper", "difference in the paper", "exact", "exact difference"}}
	var before step
	var last int64
	for i, s := range steps {
		n, err := s.count()
		if err != nil {
			return nil, err
		}
		cells := []string{s.name, fmt.Sprintf("%d M", s.paper), "", grouped(n), ""}
		if i > 0 {
			cells[2] = fmt.Sprintf("%+d M", s.paper-before.paper)
			cells[4] = signed(n - last)
		}
		r.add(cells...)
		before, last = s, n
	}
	return r, nil
}

// grouped returns a number with a space between groups of three digits.
func grouped(n int64) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + " " + text[i:]
	}
	return text
}

// signed returns a grouped number with its sign.
func signed(n int64) string {
	if n < 0 {
		return "-" + grouped(-n)
	}
	return "+" + strings.TrimPrefix(grouped(n), "+")
}
