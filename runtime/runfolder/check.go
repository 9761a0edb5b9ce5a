package runfolder

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/debertac/debertac/runtime/example"
	"github.com/debertac/debertac/runtime/ragged"
)

// MostSteps is the largest number of steps of a training.
const MostSteps = 1<<31 - 1

// decode reads a JSON file of a run that people may have edited. The error names the file, and the field with its value.
func decode(path string, text []byte, v any) error {
	if name, ok := example.Twice(text); ok {
		return ragged.Errorf("%s: the field %q stands twice", path, name)
	}
	err := json.Unmarshal(text, v)
	var wrong *json.UnmarshalTypeError
	switch {
	case errors.As(err, &wrong) && wrong.Field != "":
		return ragged.Errorf("%s: field %q: it is the %s, and must be %s", path, wrong.Field, wrong.Value, kindOf(wrong))
	case err != nil:
		return ragged.Errorf("%s is damaged: %v", path, err)
	}
	return nil
}

// kindOf returns what a value must be, in the words of JSON.
func kindOf(wrong *json.UnmarshalTypeError) string {
	switch kind := wrong.Type.Kind().String(); {
	case strings.HasPrefix(kind, "uint"):
		return "a whole number, at least 0"
	case strings.HasPrefix(kind, "int"):
		return "a whole number"
	case strings.HasPrefix(kind, "float"):
		return "a number"
	case kind == "slice":
		return "a list"
	case kind == "map" || kind == "struct":
		return "an object"
	case kind == "bool":
		return "true or false"
	}
	return "a text"
}

// number is a number of a file with its limits.
type number struct {
	name        string
	value       int64
	least, most int64
}

// within refuses the first number that is outside its limits.
func within(path string, list ...number) error {
	for _, n := range list {
		if n.value < n.least || n.value > n.most {
			return ragged.Errorf("%s: field %q: it is %d, and must be from %d to %d", path, n.name, n.value, n.least, n.most)
		}
	}
	return nil
}

// check refuses values that no run has. Fields that old runs, or those of other programs, lack may be missing.
func (r *Run) check(path string) error {
	if err := within(path, number{"steps", int64(r.Steps), 0, MostSteps}, number{"steps_per_epoch", int64(r.StepsPerEpoch), 0, MostSteps}); err != nil {
		return err
	}
	for _, list := range []struct {
		name  string
		files []Data
	}{{"data", r.Data}, {"eval", r.Eval}} { // in this order, so that the same file has the same error each time
		for i, d := range list.files {
			field := fmt.Sprintf("%s[%d].", list.name, i)
			err := within(path, number{field + "bytes", d.Bytes, 0, math.MaxInt64}, number{field + "examples", int64(d.Examples), 0, math.MaxInt64})
			if err != nil {
				return err
			}
		}
	}
	return nil
}
