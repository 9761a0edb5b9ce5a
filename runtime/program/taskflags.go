package program

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/debertac/debertac/runtime/command"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/tasktable"
)

// tableFlags holds the flags of run that the table of tasks lists.
type tableFlags struct {
	given  map[string]bool // the flags that the command line sets
	values map[string]any  // pointers to the values of the flags: *bool, *string, *int, *float64 or *uint64
}

// taskFlags holds the flags of run that only some tasks have, and what was parsed from their values.
type taskFlags struct {
	*tableFlags
	threshold limits
}

// defaultTop is the number of results that are printed per text without --top.
const defaultTop = 5

// register declares the flags that only some tasks have.
func (f *taskFlags) register(fs *flag.FlagSet) {
	for i := range tasktable.Flags {
		r := &tasktable.Flags[i]
		f.declare(fs, r.Name, newValue[r.Kind]())
	}
}

// newValue holds, for each kind of flag, the function that returns a pointer to a new value.
var newValue = map[tasktable.Kind]func() any{
	tasktable.Switch: func() any { return new(bool) }, tasktable.Text: func() any { return new(string) }, tasktable.List: func() any { return new(string) },
	tasktable.Count: func() any { return new(int) }, tasktable.Real: func() any { return new(float64) }, tasktable.Natural: func() any { return new(uint64) },
}

// declare declares a flag of the table whose value is stored at p. The first line of a flag's usage is its placeholder.
func (f *tableFlags) declare(fs *flag.FlagSet, name string, p any) {
	r := tasktable.FlagNamed(name)
	if r == nil {
		panic("the table of tasks has no such flag: --" + name)
	}
	usage := flagHelp(r)
	if r.Placeholder != "" {
		usage = "`" + r.Placeholder + "`\n" + usage
	}
	if f.values == nil {
		f.values = map[string]any{}
	}
	f.values[name] = p
	switch p := p.(type) {
	case *bool:
		fs.BoolVar(p, name, false, usage)
	case *int:
		n, _ := strconv.Atoi(r.Default) // 0 without a default; a test parses all defaults
		fs.IntVar(p, name, n, usage)
	case *float64:
		x, _ := strconv.ParseFloat(r.Default, 64)
		fs.Float64Var(p, name, x, usage)
	case *uint64:
		n, _ := strconv.ParseUint(r.Default, 10, 64)
		fs.Uint64Var(p, name, n, usage)
	case *string:
		fs.StringVar(p, name, r.Default, usage)
	}
}

// declareAll declares flags by name, whose values are stored at the given places.
func (f *tableFlags) declareAll(fs *flag.FlagSet, places map[string]any) {
	for name, p := range places {
		f.declare(fs, name, p)
	}
}

// flagHelp returns the help of a flag in the style of this program's other flags: it begins with a small letter and has no full stop.
func flagHelp(r *tasktable.Flag) string {
	help := []rune(strings.TrimSuffix(r.Help, "."))
	if len(help) > 1 && !unicode.IsUpper(help[1]) { // otherwise the first word is an abbreviation
		help[0] = unicode.ToLower(help[0])
	}
	if r.Kind == tasktable.List {
		return string(help) + ". Words with commas between them, or a JSON array"
	}
	return string(help)
}

// valueOf returns a pointer to the value of a flag. It panics if the table does not have the flag, which is an internal error.
func valueOf[T any](f *taskFlags, name string) *T {
	p, ok := f.values[name].(*T)
	if !ok {
		panic("the table of tasks has no such flag: --" + name)
	}
	return p
}

// on, word, count and real return the value of a flag, or its default.
func (f *taskFlags) on(name string) bool      { return *valueOf[bool](f, name) }
func (f *taskFlags) word(name string) string  { return *valueOf[string](f, name) }
func (f *taskFlags) count(name string) int    { return *valueOf[int](f, name) }
func (f *taskFlags) real(name string) float64 { return *valueOf[float64](f, name) }

// words returns the value of a flag that is a list, or nil without the flag.
func (f *taskFlags) words(name string) ([]string, error) {
	if !f.given[name] {
		return nil, nil
	}
	return list(name, f.word(name))
}

// check returns an error for values and combinations that no task takes.
func (f *taskFlags) check() error {
	for _, r := range tasktable.Flags {
		if f.given[r.Name] && r.Needs != "" && !f.given[r.Needs] {
			return usage("--%s needs --%s", r.Name, r.Needs)
		}
	}
	for _, r := range tasktable.Flags {
		for _, other := range r.Contradicts {
			if f.given[r.Name] && f.given[other] {
				return usage("--%s and --%s contradict each other", r.Name, other)
			}
		}
	}
	for _, r := range tasktable.RunFlags() {
		if !f.given[r.Name] {
			continue
		}
		if err := f.checkValue(&r); err != nil {
			return err
		}
	}
	if f.given["threshold"] {
		return f.threshold.read(f.word("threshold"))
	}
	return nil
}

// checkValue checks the value of one flag against its row of the table.
func (f *taskFlags) checkValue(r *tasktable.Flag) error {
	switch v := f.values[r.Name].(type) {
	case *string:
		common := slices.ContainsFunc(tasktable.CommonFlags, func(c tasktable.Flag) bool { return c.Name == r.Name })
		switch {
		case r.OneOf != nil && !slices.Contains(r.OneOf, *v):
			last := len(r.OneOf) - 1
			return usage("--%s %s: it must be %s or %s", r.Name, *v, strings.Join(r.OneOf[:last], ", "), r.OneOf[last])
		case common: // names of files may have other bytes
		case !utf8.ValidString(*v):
			return usage("--%s is %s", r.Name, notUTF8)
		case r.Filled && strings.TrimSpace(*v) == "" && r.Must != "":
			return usage("--%s is empty: it must be %s", r.Name, r.Must)
		case r.Filled && strings.TrimSpace(*v) == "":
			return usage("--%s is empty", r.Name)
		}
		if r.Kind == tasktable.List {
			_, err := list(r.Name, *v)
			return err
		}
	case *int:
		if !r.Within(float64(*v)) {
			return usage("--%s %d: it must be %s", r.Name, *v, r.Must)
		}
	case *float64:
		if !r.Within(*v) {
			return usage("--%s %v: it must be %s", r.Name, *v, r.Must)
		}
	}
	return nil
}

// list parses the list of a flag. The error names the flag.
func list(name, value string) ([]string, error) {
	parts, err := List(value)
	if err != nil {
		return nil, usage("--%s %q: %v", name, command.Shorten(value, 60), err)
	}
	return parts, nil
}

// List parses the value of a flag that takes several words. They are separated by commas, and white space around them is removed; or the value is a
// JSON array of strings, which are kept as they are.
func List(value string) ([]string, error) {
	var parts []string
	if strings.HasPrefix(strings.TrimSpace(value), "[") {
		if err := json.Unmarshal([]byte(value), &parts); err != nil || len(parts) == 0 {
			return nil, errors.New("it must be words with commas between them, or a JSON array of strings such as [\"a\", \"b\"]")
		}
		return parts, nil
	}
	for _, p := range strings.Split(value, ",") {
		if p = strings.TrimSpace(p); p == "" {
			return nil, errors.New("a part between its commas is empty")
		}
		parts = append(parts, p)
	}
	return parts, nil
}

// kindOf returns the name of the heads of a task in messages.
func kindOf(t engine.Task) string {
	if r := tasktable.Of(t); r != nil {
		return r.Kind
	}
	return string(t)
}

// belong returns an error for flags that the head's task does not have.
func (f *taskFlags) belong(h *engine.Head) error {
	for _, name := range slices.Sorted(maps.Keys(f.given)) {
		tasks := tasktable.Taking(name)
		if tasks == nil || slices.Contains(tasks, h.Task) {
			continue
		}
		var names []string
		for _, t := range tasks {
			names = append(names, kindOf(t))
		}
		remedy := ""
		if name == "pooling" && h.Task == tasktable.Vector {
			remedy = "; its vectors are pooled in the model, which debertac run --pool and debertac build --pool choose"
		}
		return usage("--%s belongs to heads of the kind %s; head %q of this model is of the kind %s%s", name, strings.Join(names, " or "), h.Name,
			kindOf(h.Task), remedy)
	}
	return nil
}

// best returns how many results per text are wanted: the value of --top, or otherwise the default of the task.
func (f *taskFlags) best(otherwise int) int {
	if f.given["top"] {
		return f.count("top")
	}
	return otherwise
}

// service returns the service for the head's task, set up by the flags.
func (f *taskFlags) service(core *engine.Core, head int, p *page) (service, error) {
	h := &core.Program().Heads[head]
	if err := f.belong(h); err != nil {
		return nil, err
	}
	if core.Tokenizer() == nil {
		_, err := core.SpanTokenizer() // the error explains why there is no tokenizer
		return nil, err
	}
	make := makers[h.Task]
	if make == nil {
		return nil, fmt.Errorf("run cannot print results of the task %s", h.Task)
	}
	return make(f, core, h, p)
}

// maker makes the service of a head, set up by the flags. p is where results will be printed.
type maker func(f *taskFlags, core *engine.Core, h *engine.Head, p *page) (service, error)

// makers holds the makers of all tasks. The file that prints the results of a task adds its maker with serve.
var makers = map[tasktable.Task]maker{}

// serve adds the maker of a task. It returns a value so that a package variable can call it.
func serve(t tasktable.Task, m maker) bool {
	makers[t] = m
	return true
}

// texts is the common part of most services: records are texts, or pairs with --pair, and no result comes at the end.
type texts struct {
	pair  string
	pairs bool
}

func (f *taskFlags) texts() texts { return texts{f.word("pair"), f.given["pair"]} }

func (t texts) prepare(r *record) error {
	if t.pairs {
		if r.text.Pair {
			return faulty(r.where(), "it is a pair already, and --pair sets another second text: leave out one of the two")
		}
		r.text.Second, r.text.Pair = t.pair, true
	}
	return nil
}

func (texts) end(context.Context) ([]record, []outcome, error) { return nil, nil, nil }

// firsts returns the texts of records.
func firsts(records []record) []string {
	list := make([]string, len(records))
	for i, r := range records {
		list[i] = r.text.First
	}
	return list
}

func pairsOf(records []record) [][2]string {
	list := make([][2]string, len(records))
	for i, r := range records {
		list[i] = [2]string{r.text.First, r.text.Second}
	}
	return list
}
