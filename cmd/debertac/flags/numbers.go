package flags

import (
	"fmt"
	"math"
	"reflect"

	"github.com/debertac/debertac/cmd/debertac/fault"
)

// Number is the value of a flag, with the result of comparing it with its range. A flag that was not given has no number.
type Number struct {
	flag, said string
	held       bool   // the number lies in the range, or the flag was not given
	want       string // the range in words
}

// Whole returns the Number of a flag that takes a whole number from least to most; most is math.MaxInt where only the model knows the limit.
func Whole(flag string, n *int, least, most int) Number {
	if n == nil {
		return Number{held: true}
	}
	want := fmt.Sprintf("from %d to %d", least, most)
	if most == math.MaxInt {
		want = fmt.Sprintf("at least %d", least)
	}
	return Number{flag, fmt.Sprint(*n), least <= *n && *n <= most, want}
}

// Real returns the Number of a flag that takes a finite number from least to most; most is math.MaxFloat64 where there is no limit.
func Real(flag string, x *float64, least, most float64) Number {
	if x == nil {
		return Number{held: true}
	}
	want := fmt.Sprintf("a number from %v to %v", least, most)
	switch {
	case most == math.MaxFloat64 && least == -most:
		want = "a number"
	case most == math.MaxFloat64:
		want = fmt.Sprintf("a number, at least %v", least)
	}
	return Number{flag, fmt.Sprint(*x), least <= *x && *x <= most, want} // false for NaN
}

// Within refuses the first number that is outside its range.
func Within(list ...Number) error {
	for _, n := range list {
		if !n.held {
			return fault.Usage("", "%s %s: it must be %s", n.flag, n.said, n.want)
		}
	}
	return nil
}

// Numbers returns the numbers of the flags that are passed on, with the ranges of the table. The ranges are checked before anything is built. The
// built program checks them too, because it can be called by itself.
func (t *Handed) Numbers() []Number {
	var list []Number
	for i := range t.rows {
		f := &t.rows[i]
		switch v := reflect.ValueOf(t.Fields).Elem().Field(i).Interface().(type) {
		case *int:
			if v != nil {
				list = append(list, Number{"--" + f.Name, fmt.Sprint(*v), f.Within(float64(*v)), f.Must})
			}
		case *float64:
			if v != nil {
				list = append(list, Number{"--" + f.Name, fmt.Sprint(*v), f.Within(*v), f.Must})
			}
		}
	}
	return list
}
