package flags

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/debertac/debertac/runtime/tasktable"
)

// Tasks are the flags of run that belong to some heads' tasks: those of the table of tasks. They are handed on to the built program, which
// knows its head and what fits it.
type Tasks struct {
	// Tasks points at a struct with one field per flag of the table, in its order. The parser reads the tags of the fields. A flag that was not
	// given is nil, or false.
	Fields any `embed:""`
}

// NewTasks makes the struct that the parser fills.
func NewTasks() Tasks {
	var fields []reflect.StructField
	for i := range tasktable.Flags {
		f := &tasktable.Flags[i]
		fields = append(fields, reflect.StructField{Name: "F" + strconv.Itoa(i), Type: flagTypes[f.Kind], Tag: flagTag(f)})
	}
	return Tasks{reflect.New(reflect.StructOf(fields)).Interface()}
}

// flagTypes are the types of fields by the kind of the flag.
var flagTypes = map[tasktable.Kind]reflect.Type{
	tasktable.Switch: reflect.TypeFor[bool](), tasktable.Text: reflect.TypeFor[*string](), tasktable.List: reflect.TypeFor[*string](),
	tasktable.Count: reflect.TypeFor[*int](), tasktable.Real: reflect.TypeFor[*float64](), tasktable.Natural: reflect.TypeFor[*uint64](),
}

// flagTag describes a flag to the parser.
func flagTag(f *tasktable.Flag) reflect.StructTag {
	help := f.Help
	if f.Default != "" && !f.Unsaid {
		help = fmt.Sprintf("%s (%s).", strings.TrimSuffix(help, "."), f.Default)
	}
	tag := fmt.Sprintf("name:%q help:%q", f.Name, help)
	if f.Group != "" {
		tag += fmt.Sprintf(" group:%q", f.Group)
	}
	if f.Placeholder != "" {
		tag += fmt.Sprintf(" placeholder:%q", f.Placeholder)
	}
	return reflect.StructTag(tag)
}

// field returns the field of a flag of the table.
func (t *Tasks) field(name string) reflect.Value {
	i := slices.IndexFunc(tasktable.Flags, func(f tasktable.Flag) bool { return f.Name == name })
	return reflect.ValueOf(t.Fields).Elem().Field(i)
}

// Given reports whether a flag was given.
func (t *Tasks) Given(name string) bool { return !t.field(name).IsZero() }

// TurnOn gives a flag that has no value.
func (t *Tasks) TurnOn(name string) { t.field(name).SetBool(true) }

// Flags are the arguments of the built program.
func (t *Tasks) Flags() []Flag {
	var list []Flag
	for i := range tasktable.Flags {
		name := "--" + tasktable.Flags[i].Name
		switch v := reflect.ValueOf(t.Fields).Elem().Field(i).Interface().(type) {
		case bool:
			list = append(list, Switch(name, v))
		case *string:
			list = append(list, Text(name, v))
		case *int:
			list = append(list, OptionalCount(name, v))
		case *float64:
			list = append(list, realFlag(name, v))
		case *uint64:
			if v != nil {
				list = append(list, Flag{name, strconv.FormatUint(*v, 10)})
			}
		}
	}
	return list
}
