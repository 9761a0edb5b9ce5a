package trainer

import (
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/debertac/debertac/runtime/ragged"
)

// Check is what holds for the numbers of a target.
type Check uint8

// The checks.
const (
	Any     Check = iota // nothing
	Classes              // less than Below, if that is not 0; below 0: left out
	Tokens               // a token of its sequence, counted from the first; below 0: left out
	Groups               // a group of the batch, from 0 to less than the number of entries
	Pairs                // such a group; each has two entries at least
	Unit                 // from 0 to 1
	Judged               // from 0 to 1; below 0: left out
	Shares               // a finite number not below 0
	Finite               // a finite number
)

// Target is a part of a batch that a loss compares with the head's numbers.
type Target struct {
	Name     string        // name in the program, such as "target"
	Rows     ragged.Extent // what has an entry
	Columns  int           // numbers per entry; 0: one
	Floats   bool          // the numbers are floats, not integers
	Optional bool          // a batch may lack it: all its integers are then -1
	Check    Check
	Below    int // of Classes: the number of classes
}

// checkNames refuses numbers of a batch that no loss would read, because their name is misspelt or because they are of the other kind.
func (p *Program) checkNames(b *Batch) error {
	for _, name := range slices.Sorted(maps.Keys(b.Integers)) {
		if err := p.checkName(name, false); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(b.Floats)) {
		if err := p.checkName(name, true); err != nil {
			return err
		}
	}
	return nil
}

// checkName refuses the name of a target that a program does not have, or whose numbers are of the other kind.
func (p *Program) checkName(name string, floats bool) error {
	field := map[bool]string{false: "Integers", true: "Floats"}
	var names []string
	for i := range p.Targets {
		t := &p.Targets[i]
		switch {
		case t.Name != name:
			names = append(names, t.Name)
		case t.Floats == floats:
			return nil
		default:
			return ragged.Errorf("%s[%q]: %s takes this target in %s", field[floats], name, p.Name, field[t.Floats])
		}
	}
	there := "it has none"
	if len(names) > 0 {
		there = "it has " + strings.Join(names, ", ")
	}
	return ragged.Errorf("%s[%q]: %s has no such target (%s)", field[floats], name, p.Name, there)
}

// valid checks the numbers of a target.
func (t *Target) valid(b *Batch, s ragged.Sizes) error {
	want, have := t.Want(s), len(b.Integers[t.Name])
	if t.Floats {
		have = len(b.Floats[t.Name])
	}
	if have == 0 && t.Optional {
		return nil
	}
	if have != want {
		return ragged.Errorf("%s has %d numbers, the batch needs %d: %d for each %s", t.Name, have, want, max(t.Columns, 1), t.Rows.Row().One)
	}
	for i, x := range b.Floats[t.Name] {
		if err := t.validFloat(i, float64(x)); err != nil {
			return err
		}
	}
	return t.validIntegers(b, want)
}

// validFloat checks a float of a target.
func (t *Target) validFloat(i int, x float64) error {
	if t.Check == Any {
		return nil
	}
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return ragged.Errorf("%s[%d] is %v: it must be a finite number", t.Name, i, x)
	}
	switch t.Check {
	case Unit:
		if x < 0 || x > 1 {
			return ragged.Errorf("%s[%d] is %v: it must be from 0 to 1", t.Name, i, x)
		}
	case Judged:
		if x > 1 {
			return ragged.Errorf("%s[%d] is %v: it must be from 0 to 1, or below 0 to be left out", t.Name, i, x)
		}
	case Shares:
		if x < 0 {
			return ragged.Errorf("%s[%d] is %v: it must not be below 0", t.Name, i, x)
		}
	}
	return nil
}

// validIntegers checks the integers of a target.
func (t *Target) validIntegers(b *Batch, want int) error {
	list := b.Integers[t.Name]
	for i, n := range list {
		most := -1
		switch t.Check {
		case Classes:
			if most = t.Below; most == 0 {
				most = -1
			}
		case Groups, Pairs:
			if most = want; n < 0 {
				return ragged.Errorf("%s[%d] is %d: a group is a number from 0 on", t.Name, i, n)
			}
		case Tokens:
			most = b.Length(i)
		}
		if most >= 0 && int(n) >= most {
			return ragged.Errorf("%s[%d] is %d: it must be less than %d", t.Name, i, n, most)
		}
	}
	if t.Check != Pairs {
		return nil
	}
	entries := make([]int, len(list))
	for _, n := range list {
		entries[n]++
	}
	for i, n := range list {
		if entries[n] == 1 {
			return ragged.Errorf("%s[%d] is %d, and no other sequence is in that group: the loss compares pairs", t.Name, i, n)
		}
	}
	return nil
}

// draw returns a random number for entry k of n, of a target of integers. pick returns a random number from 0 to n-1.
func (t *Target) draw(b *Batch, k, n int, pick func(n int) int) int32 {
	switch t.Check {
	case Classes:
		return int32(pick(max(t.Below, 1)))
	case Tokens:
		return int32(pick(b.Length(k)))
	case Groups:
		return 0
	case Pairs: // a last one without another joins the group before it
		return int32(max(0, min(k/2, n/2-1)))
	}
	return 0
}

// Counted is what a [Count] counts.
type Counted uint8

// What is counted.
const (
	RowCount    Counted = iota // rows whose target is not below 0, or all rows
	WeightSum                  // the weights of the target's classes
	JudgedCount                // numbers of the target that are not below 0, of spans inside their sequences
	PairCount                  // pairs of sequences of a group with different targets
	GroupCount                 // the groups that the target names
	NumberSum                  // the sum of the target's numbers
)

// Count is a number of a whole batch that the loss of a part of it divides by. With it the losses and gradients of all parts add up to those of the batch,
// however its rows are divided among them.
type Count struct {
	Name    string        // name in the program
	Target  string        // the target whose numbers not below 0 are counted; "": all rows are counted
	Rows    ragged.Extent // what has a row
	Of      Counted
	Weights []float64 // of WeightSum, by class
	Widths  int       // of JudgedCount: words of the longest span; 0: the rows are no spans
}

// of returns the number for a batch that is given in parts.
func (c *Count) of(parts []*Batch) (n float64) {
	for _, b := range parts {
		switch c.Of {
		case RowCount:
			n += float64(c.rows(b))
		case WeightSum:
			for _, class := range b.Integers[c.Target] {
				if class >= 0 {
					n += c.Weights[class]
				}
			}
		case JudgedCount:
			n += float64(c.judged(b))
		case PairCount:
			n += float64(c.pairs(b))
		case GroupCount:
			seen := map[int32]bool{}
			for _, g := range b.Integers[c.Target] {
				seen[g] = true
			}
			n += float64(len(seen))
		case NumberSum:
			for _, x := range b.Floats[c.Target] {
				n += float64(x)
			}
		}
	}
	return n
}

// rows returns how many rows of a part count.
func (c *Count) rows(b *Batch) (n int) {
	if c.Target == "" {
		return b.Size(c.Rows)
	}
	for _, target := range b.Integers[c.Target] {
		if target >= 0 {
			n++
		}
	}
	return n
}

// judged returns how many numbers of words and labels, or queries, count.
func (c *Count) judged(b *Batch) (n int) {
	numbers := b.Floats[c.Target]
	if c.Widths == 0 {
		for _, x := range numbers {
			if x >= 0 {
				n++
			}
		}
		return n
	}
	firsts := b.Partners()
	for s := range b.Sequences() {
		words, labels := int(b.WordStarts[s+1]-b.WordStarts[s]), int(firsts[s+1]-firsts[s])
		for w := range words {
			for range labels {
				for k := range c.Widths {
					if w+k < words && numbers[k] >= 0 {
						n++
					}
				}
				numbers = numbers[c.Widths:]
			}
		}
	}
	return n
}

// pairs returns how many pairs of sequences of a group have different targets.
func (c *Count) pairs(b *Batch) (n int) {
	group, target := b.Integers[c.Target+groupSuffix], b.Floats[c.Target]
	for i := range group {
		for k := range i {
			if group[i] == group[k] && target[i] != target[k] {
				n++
			}
		}
	}
	return n
}

// groupSuffix follows the name of a target in the name of the groups that it is compared in.
const groupSuffix = ".group"
