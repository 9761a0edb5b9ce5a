package extraction

import (
	"cmp"
	"slices"
	"strings"

	"github.com/debertac/debertac/runtime/ragged"
)

// Overlap is a rule for candidates of one label that share a part of the text.
type Overlap uint8

// The rules for overlaps.
const (
	DefaultOverlap Overlap = iota // the model's own: Greedy for span heads, and what the config of a boundary head states
	Greedy                        // by falling score; a candidate that shares a word with a better one is dropped
	Flat                          // of all sets of candidates that share no word, the one with the largest sum of scores
	Nested                        // by falling score; a candidate that crosses a better one is dropped, one inside the other is not
	Longest                       // candidates inside another one are dropped
	Allow                         // all candidates are kept
)

// overlaps holds the published names of the rules, in lower case and with "_" for "-".
var overlaps = map[string]Overlap{
	"flat": Flat, "disallow": Flat, "no_overlap": Flat, "non_overlapping": Flat,
	"nested": Nested, "allow_nested": Nested,
	"longest": Longest, "keep_longest": Longest,
	"allow": Allow, "all": Allow, "none": Allow,
}

// ParseOverlap returns the rule of a published name, such as "flat" or its other name "disallow"; the empty name stands for DefaultOverlap.
func ParseOverlap(name string) (Overlap, error) {
	if name == "" {
		return DefaultOverlap, nil
	}
	o, ok := overlaps[strings.ReplaceAll(strings.ToLower(strings.TrimFunc(name, isSpace)), "-", "_")]
	if !ok {
		return 0, ragged.Errorf("overlap_policy is %q: it must be allow, nested, flat or longest", name)
	}
	return o, nil
}

// candidate is a part of a text that may be a result.
type candidate struct {
	score      float64
	start, end int // [start, end), of words or of code points
	item       int // what it stands for
}

// rank orders candidates: by falling score; ties: by start, then by end, then by item.
func rank(a, b candidate) int {
	return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.start, b.start), cmp.Compare(a.end, b.end), cmp.Compare(a.item, b.item))
}

// resolve returns the candidates that a rule keeps, by falling score. It reorders c. Ties: the rules order them by start and end, but Greedy leaves
// them in their order.
func (o Overlap) resolve(c []candidate) []candidate {
	if o == Greedy {
		slices.SortStableFunc(c, func(a, b candidate) int { return cmp.Compare(b.score, a.score) })
		return keep(c, func(candidate, candidate) bool { return false })
	}
	slices.SortFunc(c, rank)
	c = distinct(c)
	switch o {
	case Flat:
		return flat(c)
	case Nested:
		return keep(c, func(a, b candidate) bool { return a.inside(b) || b.inside(a) })
	case Longest:
		return longest(c)
	}
	return c
}

// inside reports whether a is a part of b or equals it.
func (a candidate) inside(b candidate) bool { return b.start <= a.start && a.end <= b.end }

// distinct leaves the first of the candidates with the same place.
func distinct(c []candidate) []candidate {
	type place struct{ start, end int }
	seen := make(map[place]bool, len(c))
	return slices.DeleteFunc(c, func(a candidate) bool {
		p := place{a.start, a.end}
		again := seen[p]
		seen[p] = true
		return again
	})
}

// keep goes through candidates in order and keeps those that overlap with no kept one, or only as both allows.
func keep(c []candidate, both func(a, b candidate) bool) []candidate {
	var kept, byStart []candidate
	longest := 0 // of those kept
	for _, a := range c {
		// only the kept ones that start after a.start-longest and before a.end can overlap with a
		from, _ := slices.BinarySearchFunc(byStart, a.start-longest, func(b candidate, at int) int { return cmp.Compare(b.start, at) })
		fits := true
		for _, b := range byStart[from:] {
			if b.start >= a.end {
				break
			}
			if a.start < b.end && !both(a, b) {
				fits = false
				break
			}
		}
		if !fits {
			continue
		}
		kept = append(kept, a)
		at, _ := slices.BinarySearchFunc(byStart, a.start, func(b candidate, at int) int { return cmp.Compare(b.start, at) })
		byStart = slices.Insert(byStart, at, a)
		longest = max(longest, a.end-a.start)
	}
	return kept
}

// longest drops candidates inside another one. No two have the same place.
func longest(c []candidate) []candidate {
	order := slices.Clone(c)
	slices.SortFunc(order, func(a, b candidate) int { return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(b.end, a.end)) })
	var kept []candidate
	end := 0 // of those that begin before or at the same place
	for i, a := range order {
		if i == 0 || a.end > end {
			kept = append(kept, a)
			end = a.end
		}
	}
	slices.SortFunc(kept, rank)
	return kept
}

// flat returns the set of candidates without overlaps that has the largest sum of scores. Ties: the larger set, then the one whose candidates rank first.
func flat(c []candidate) []candidate {
	order := slices.Clone(c)
	slices.SortFunc(order, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.end, b.end), cmp.Compare(a.start, b.start), rank(a, b))
	})
	// best[i] is the best set among the first i candidates.
	best := make([]chosen, len(order)+1)
	for i, a := range order {
		before, _ := slices.BinarySearchFunc(order[:i], a.start, func(b candidate, at int) int {
			if b.end <= at {
				return -1
			}
			return 1
		})
		with := chosen{best[before].sum + a.score, best[before].count + 1, i, before}
		best[i+1] = best[i]
		if better(order, best, with, best[i]) {
			best[i+1] = with
		}
	}
	kept := members(order, best, best[len(order)])
	slices.SortFunc(kept, rank)
	return kept
}

// chosen is a set of candidates: the last one, and the set that is best of the first ones.
type chosen struct {
	sum         float64
	count       int
	last, first int
}

// better reports whether the set a is chosen rather than b.
func better(order []candidate, best []chosen, a, b chosen) bool {
	if a.sum != b.sum {
		return a.sum > b.sum
	}
	if a.count != b.count {
		return a.count > b.count
	}
	x, y := members(order, best, a), members(order, best, b)
	slices.SortFunc(x, rank)
	slices.SortFunc(y, rank)
	return slices.CompareFunc(x, y, rank) < 0
}

// members returns the candidates of a set.
func members(order []candidate, best []chosen, c chosen) []candidate {
	var out []candidate
	for c.count > 0 {
		out = append(out, order[c.last])
		c = best[c.first]
	}
	return out
}
