package flags

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/debertac/debertac/runtime/tasktable"
)

// Handed holds the flags of run, or of eval, that are passed on to the built program: those of the table of tasks. The program knows its head and refuses flags
// that do not fit it.
type Handed struct {
	// Fields points at a struct with one field per flag of the table, in its order. The parser reads the tags of the fields. A flag that was not
	// given is nil, or false.
	Fields any `embed:""`

	rows []tasktable.Flag
}

// NewHanded makes the struct that the parser fills, for rows of the table.
func NewHanded(rows []tasktable.Flag) Handed {
	var fields []reflect.StructField
	for i := range rows {
		f := &rows[i]
		fields = append(fields, reflect.StructField{Name: "F" + strconv.Itoa(i), Type: flagTypes[f.Kind], Tag: flagTag(f)})
	}
	return Handed{reflect.New(reflect.StructOf(fields)).Interface(), rows}
}

// flagTypes are the types of fields by the kind of the flag.
var flagTypes = map[tasktable.Kind]reflect.Type{
	tasktable.Switch: reflect.TypeFor[bool](), tasktable.Text: reflect.TypeFor[*string](), tasktable.List: reflect.TypeFor[*string](),
	tasktable.Count: reflect.TypeFor[*int](), tasktable.Real: reflect.TypeFor[*float64](), tasktable.Natural: reflect.TypeFor[*uint64](),
}

// flagTag describes a flag to the parser.
func flagTag(f *tasktable.Flag) reflect.StructTag {
	help := f.Help
	switch {
	case f.Default == "" || f.Unsaid:
	case strings.Contains(f.Placeholder, "|"):
		help += " Default: " + f.Default + "."
	default:
		help = fmt.Sprintf("%s (%s).", strings.TrimSuffix(help, "."), f.Default)
	}
	if f.Wider != "" {
		help += " " + f.Wider
	}
	tag := fmt.Sprintf("name:%q help:%q", f.Name, help)
	if f.Group != "" {
		tag += fmt.Sprintf(" group:%q", f.Group)
	}
	if f.Placeholder != "" {
		tag += fmt.Sprintf(" placeholder:%q", f.Placeholder)
	}
	if f.OneOf != nil {
		tag += fmt.Sprintf(" enum:%q", strings.Join(f.OneOf, ","))
	}
	return reflect.StructTag(tag)
}

// field returns the field of a flag of the table.
func (t *Handed) field(name string) reflect.Value {
	i := slices.IndexFunc(t.rows, func(f tasktable.Flag) bool { return f.Name == name })
	return reflect.ValueOf(t.Fields).Elem().Field(i)
}

// Given reports whether a flag was given.
func (t *Handed) Given(name string) bool { return !t.field(name).IsZero() }

// On returns the value of a switch.
func (t *Handed) On(name string) bool { return t.field(name).Bool() }

// TurnOn turns a switch on.
func (t *Handed) TurnOn(name string) { t.field(name).SetBool(true) }

// Text returns the value of a flag that takes a text, "" if it was not given.
func (t *Handed) Text(name string) string {
	if p, ok := t.field(name).Interface().(*string); ok && p != nil {
		return *p
	}
	return ""
}

// SetText sets the value of a flag that takes a text.
func (t *Handed) SetText(name, value string) { t.field(name).Set(reflect.ValueOf(&value)) }

// Count returns the value of a flag that takes a whole number, 0 if it was not given.
func (t *Handed) Count(name string) int {
	if p, ok := t.field(name).Interface().(*int); ok && p != nil {
		return *p
	}
	return 0
}

// SetCount sets the value of a flag that takes a whole number.
func (t *Handed) SetCount(name string, n int) { t.field(name).Set(reflect.ValueOf(&n)) }

// Flags returns the flags for the built program.
func (t *Handed) Flags() []Flag {
	var list []Flag
	for i := range t.rows {
		name := "--" + t.rows[i].Name
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
