package main

import (
	"fmt"
	"math"
	"reflect"

	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/tasktable"
)

// number is what a flag says, with the range that it must lie in. A flag that was not given has no number.
type number struct {
	flag, said string
	held       bool   // the number lies in the range, or the flag was not given
	want       string // the range in words
}

// wholeNumber is a flag that takes a whole number from least to most; most is math.MaxInt where only the model knows more.
func wholeNumber(flag string, n *int, least, most int) number {
	if n == nil {
		return number{held: true}
	}
	want := fmt.Sprintf("from %d to %d", least, most)
	if most == math.MaxInt {
		want = fmt.Sprintf("at least %d", least)
	}
	return number{flag, fmt.Sprint(*n), least <= *n && *n <= most, want}
}

// realNumber is a flag that takes a finite number from least to most; most is math.MaxFloat64 where there is no limit.
func realNumber(flag string, x *float64, least, most float64) number {
	if x == nil {
		return number{held: true}
	}
	want := fmt.Sprintf("a number from %v to %v", least, most)
	switch {
	case most == math.MaxFloat64 && least == -most:
		want = "a number"
	case most == math.MaxFloat64:
		want = fmt.Sprintf("a number, at least %v", least)
	}
	return number{flag, fmt.Sprint(*x), least <= *x && *x <= most, want} // not a number is in no range
}

// within refuses the first number that is outside its range.
func within(list ...number) error {
	for _, n := range list {
		if !n.held {
			return usage("", "%s %s: it must be %s", n.flag, n.said, n.want)
		}
	}
	return nil
}

// numbers are those of run. They are held to their ranges here, before anything is built; the built program, which can be called by itself, holds
// them to the same ones.
func (v *runVerb) numbers() []number {
	return append(v.taskArgs.numbers(),
		wholeNumber("--max-tokens", &v.MaxTokens, 0, math.MaxInt), wholeNumber("--batch-tokens", &v.BatchTokens, 0, math.MaxInt), wholeNumber("--threads", &v.Threads, 0, runtime.MaxThreads),
		wholeNumber("--examples", v.Examples, 0, math.MaxInt))
}

// numbers are those of the heads' tasks, with the ranges of the table of tasks.
func (t *taskArgs) numbers() []number {
	var list []number
	for i := range tasktable.Flags {
		f := &tasktable.Flags[i]
		switch v := reflect.ValueOf(t.Tasks).Elem().Field(i).Interface().(type) {
		case *int:
			if v != nil {
				list = append(list, number{"--" + f.Name, fmt.Sprint(*v), f.Within(float64(*v)), f.Must})
			}
		case *float64:
			if v != nil {
				list = append(list, number{"--" + f.Name, fmt.Sprint(*v), f.Within(*v), f.Must})
			}
		}
	}
	return list
}

// accept holds the sizes to those that the program is compiled for, before it is built.
func (v *runVerb) accept(u *compiler.Unit) error {
	b := u.Program.Bounds
	switch {
	case v.MaxTokens > b.Length:
		return usage("", "--max-tokens %d: the model is compiled for texts of up to %d tokens; --seq %d compiles a model folder for more (in a spec: dim seq <= %d)", v.MaxTokens, b.Length, v.MaxTokens, v.MaxTokens)
	case v.BatchTokens > b.Tokens:
		return usage("", "--batch-tokens %d: the model is compiled to compute up to %d tokens together (in a spec: tokens <= %d in the target)", v.BatchTokens, b.Tokens, v.BatchTokens)
	}
	return nil
}

// counted returns a number with the noun for it: counted(1, "entry", "entries") is "1 entry".
func counted[N int | int64](n N, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
