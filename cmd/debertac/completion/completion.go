// Package completion writes scripts that teach shells the verbs and flags of a command line.
package completion

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/debertac/debertac/cmd/debertac/curves"
	"github.com/debertac/debertac/cmd/debertac/dataset"
	"github.com/debertac/debertac/cmd/debertac/machine"
	"github.com/debertac/debertac/cmd/debertac/source"
	"github.com/debertac/debertac/runtime/prediction"
	"github.com/debertac/debertac/spec"
	"github.com/debertac/debertac/spec/diag"
	"github.com/debertac/debertac/spec/hf"
)

// Values describes the values that a flag or an argument takes. The zero Values stands for a text or a number, which cannot be completed.
type Values struct {
	Words []string // these words
	Files []string // files with one of these endings; "" is any file
	Dirs  bool     // folders
}

// Free reports whether the values cannot be completed.
func (v Values) Free() bool { return len(v.Words) == 0 && len(v.Files) == 0 && !v.Dirs }

// Verb is what can be completed after a verb.
type Verb struct {
	Name, Help string
	Flags      []Flag
	Args       Values
}

// Flag is one flag.
type Flag struct {
	Name, Help string
	Short      string // one letter, "" for none
	Takes      bool   // it has a value
	Values     Values
}

// Verbs lists the verbs of the command line with their flags.
func Verbs(model *kong.Application) []Verb {
	var verbs []Verb
	for _, n := range model.Children {
		verbs = append(verbs, verbOf(n, Names(model)))
	}
	return verbs
}

func verbOf(n *kong.Node, names []string) Verb {
	v := Verb{Name: n.Name, Help: n.Help}
	for _, group := range n.AllFlags(true) {
		for _, f := range group {
			w := Flag{Name: f.Name, Help: f.Help, Takes: !f.IsBool() && !f.IsCounter()}
			if f.Short != 0 {
				w.Short = string(f.Short)
			}
			if w.Takes {
				w.Values = FlagValues(f.Name, f.PlaceHolder, f.Enum)
			}
			if !slices.ContainsFunc(v.Flags, func(o Flag) bool { return o.Name == f.Name }) {
				v.Flags = append(v.Flags, w)
			}
		}
	}
	slices.SortFunc(v.Flags, func(a, b Flag) int { return cmp.Compare(a.Name, b.Name) })
	if len(n.Positional) > 0 {
		v.Args = ArgValues(n.Name, n.Positional[0].Enum, names)
	}
	return v
}

// specs are specs and model folders.
var specs = Values{Files: []string{".dspec"}, Dirs: true}

// valuesOfFlags has the values of flags whose placeholder does not describe them.
var valuesOfFlags = map[string]func() Values{
	"head":      func() Values { return Values{Words: hf.Tasks} },
	"pool":      func() Values { return Values{Words: hf.Pools} },
	"mask":      func() Values { return Values{Words: hf.Masks} },
	"isa":       func() Values { return Values{Words: machine.IsaNames()} },
	"like":      func() Values { return Values{Words: spec.Zoo()} },
	"after":     func() Values { return Values{Words: source.Passes()} },
	"spec":      func() Values { return Values{Files: []string{".dspec"}} },
	"weights":   func() Values { return Values{Files: []string{".weights"}} },
	"outputs":   func() Values { return Values{Files: []string{".safetensors"}} },
	"against":   func() Values { return Values{Files: []string{".json", ".jsonl"}} },
	"data":      func() Values { return Values{Files: textEndings} },
	"dataset":   func() Values { return Values{Words: dataset.TaskNames()} },
	"from":      func() Values { return Values{Files: []string{".jsonl"}} },
	"task":      func() Values { return Values{Words: prediction.Names()} },
	"overlap":   func() Values { return Values{Words: []string{"flat", "nested", "longest", "allow"}} },
	"only":      func() Values { return Values{Words: curves.Metrics()} },
	"step":      func() Values { return Values{Words: []string{"best", "last"}} },
	"input":     func() Values { return Values{Files: textEndings} },
	"tokenizer": func() Values { return Values{Files: []string{".json", ".model", ".txt"}, Dirs: true} },
}

// textEndings are the extensions of files of texts.
var textEndings = []string{".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".tab", ".parquet", ".txt", ".text", ".gz", ".zst"}

// valuesOfArgs has the values of the verbs' arguments. The arguments of other verbs are files.
var valuesOfArgs = map[string]func(verbs []string) Values{
	"init":    func([]string) Values { return Values{Dirs: true} },
	"import":  func([]string) Values { return Values{Dirs: true} },
	"verify":  func([]string) Values { return Values{Dirs: true} },
	"merge":   func([]string) Values { return Values{Dirs: true} },
	"export":  func([]string) Values { return Values{Dirs: true} },
	"plot":    func([]string) Values { return Values{Dirs: true} },
	"fmt":     func([]string) Values { return Values{Files: []string{".dspec"}} },
	"check":   func([]string) Values { return Values{Files: []string{".dspec"}} },
	"dump":    func([]string) Values { return Values{Files: []string{".dspec"}} },
	"graph":   func([]string) Values { return Values{Files: []string{".dspec"}} },
	"compile": func([]string) Values { return specs },
	"diff":    func([]string) Values { return specs },
	"pack":    func([]string) Values { return specs },
	"build":   func([]string) Values { return specs },
	"run":     func([]string) Values { return specs },
	"eval":    func([]string) Values { return specs },
	"bench":   func([]string) Values { return specs },
	"doctor":  func([]string) Values { return specs },
	"explain": func([]string) Values { return Values{Words: Explained(), Files: []string{".dspec"}} },
	"help":    func(verbs []string) Values { return Values{Words: verbs} },
}

// optional matches the parts of a value in brackets, which may be left out.
var optional = regexp.MustCompile(`\[.*?\]`)

// FlagValues returns the values of a flag: from the table, from its enumeration, or from its placeholder, such as DIR or mean|max.
func FlagValues(name, placeholder, enum string) Values {
	if make, ok := valuesOfFlags[name]; ok {
		return make()
	}
	switch {
	case enum != "":
		return Values{Words: enumWords(enum)}
	case strings.Contains(placeholder, "|"):
		return Values{Words: strings.Split(optional.ReplaceAllString(placeholder, ""), "|")}
	case strings.HasSuffix(placeholder, "FILE"):
		return Values{Files: []string{""}}
	case strings.HasSuffix(placeholder, "DIR"):
		return Values{Dirs: true}
	}
	return Values{}
}

// ArgValues returns the values of the first argument of a verb.
func ArgValues(verb, enum string, verbs []string) Values {
	if make, ok := valuesOfArgs[verb]; ok {
		return make(verbs)
	}
	if enum != "" {
		return Values{Words: enumWords(enum)}
	}
	return Values{Files: []string{""}, Dirs: true}
}

// enumWords returns the values of an enumeration without the empty one, which nobody types.
func enumWords(enum string) []string {
	return slices.DeleteFunc(strings.Split(enum, ","), func(w string) bool { return w == "" })
}

// Explained returns what explain takes: the message codes, the words of the language and the published models.
func Explained() []string {
	var names []string
	for _, c := range diag.Codes {
		names = append(names, string(c.Code))
	}
	for _, row := range spec.Schema {
		names = append(names, row.Word)
	}
	names = slices.DeleteFunc(append(names, spec.Zoo()...), func(w string) bool { return w == "" || strings.ContainsAny(w, " '\"$`\\()") })
	slices.Sort(names)
	return slices.Compact(names)
}

// Names lists the verbs of the command line.
func Names(model *kong.Application) []string {
	var names []string
	for _, n := range model.Children {
		names = append(names, n.Name)
	}
	return names
}
