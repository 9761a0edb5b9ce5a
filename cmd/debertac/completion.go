package main

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/spec"
	"github.com/debertac/debertac/spec/diag"
	"github.com/debertac/debertac/spec/hf"
)

type completionVerb struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// Help is the long help.
func (completionVerb) Help() string {
	return `Prints a script that teaches a shell the verbs and flags of debertac, and the values that they take: heads, instruction sets,
message codes, passes, published models, and files by their extension.

Examples:
  source <(debertac completion bash)                                       this shell
  debertac completion zsh > "${fpath[1]}/_debertac"                        zsh, from the next start on
  debertac completion fish > ~/.config/fish/completions/debertac.fish      fish`
}

// Run prints the script.
func (v *completionVerb) Run(a *app) error {
	verbs := wordsOf(a.parser.Model)
	switch v.Shell {
	case "bash":
		return bashScript(a.out, verbs)
	case "zsh":
		return zshScript(a.out, verbs)
	}
	return fishScript(a.out, verbs)
}

// values are what a flag or an argument takes. Without any of them it takes a text or a number, which cannot be completed.
type values struct {
	words []string // these words
	files []string // files with one of these endings; "" is any file
	dirs  bool     // folders
}

// free reports whether nothing can be completed.
func (v values) free() bool { return len(v.words) == 0 && len(v.files) == 0 && !v.dirs }

// verbWords is what can be completed after a verb.
type verbWords struct {
	name, help string
	flags      []flagWords
	args       values
}

// flagWords is one flag.
type flagWords struct {
	name, help string
	short      string // one letter, "" for none
	takes      bool   // it has a value
	values     values
}

// wordsOf lists the verbs of the command line with their flags.
func wordsOf(model *kong.Application) []verbWords {
	var verbs []verbWords
	for _, n := range model.Children {
		verbs = append(verbs, verbOf(n, verbNames(model)))
	}
	return verbs
}

func verbOf(n *kong.Node, names []string) verbWords {
	v := verbWords{name: n.Name, help: n.Help}
	for _, group := range n.AllFlags(true) {
		for _, f := range group {
			w := flagWords{name: f.Name, help: f.Help, takes: !f.IsBool() && !f.IsCounter()}
			if f.Short != 0 {
				w.short = string(f.Short)
			}
			if w.takes {
				w.values = flagValues(f.Name, f.PlaceHolder, f.Enum)
			}
			if !slices.ContainsFunc(v.flags, func(o flagWords) bool { return o.name == f.Name }) {
				v.flags = append(v.flags, w)
			}
		}
	}
	for _, sub := range n.Children { // a verb of several, such as the verbs of a cache
		below := verbOf(sub, names)
		v.args.words = append(v.args.words, sub.Name)
		for _, f := range below.flags {
			if !slices.ContainsFunc(v.flags, func(o flagWords) bool { return o.name == f.name }) {
				v.flags = append(v.flags, f)
			}
		}
	}
	slices.SortFunc(v.flags, func(a, b flagWords) int { return cmp.Compare(a.name, b.name) })
	if len(n.Positional) > 0 {
		v.args = argValues(n.Name, n.Positional[0].Enum, names)
	}
	return v
}

// specs are specs and model folders.
var specs = values{files: []string{".dspec"}, dirs: true}

// valuesOfFlags are what flags take whose placeholder does not tell.
var valuesOfFlags = map[string]func() values{
	"head":      func() values { return values{words: hf.Tasks} },
	"pool":      func() values { return values{words: hf.Pools} },
	"mask":      func() values { return values{words: hf.Masks} },
	"isa":       func() values { return values{words: isaNames()} },
	"like":      func() values { return values{words: spec.Zoo()} },
	"after":     func() values { return values{words: passNames()} },
	"spec":      func() values { return values{files: []string{".dspec"}} },
	"weights":   func() values { return values{files: []string{".weights"}} },
	"outputs":   func() values { return values{files: []string{".safetensors"}} },
	"against":   func() values { return values{files: []string{".json", ".jsonl"}} },
	"input":     func() values { return values{files: textEndings} },
	"tokenizer": func() values { return values{files: []string{".json", ".model", ".txt"}, dirs: true} },
}

// textEndings are those of files of texts.
var textEndings = []string{".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".tab", ".parquet", ".txt", ".text", ".gz", ".zst"}

// valuesOfArgs are what the verbs' arguments are; those of other verbs are files.
var valuesOfArgs = map[string]func(verbs []string) values{
	"init":    func([]string) values { return values{dirs: true} },
	"import":  func([]string) values { return values{dirs: true} },
	"verify":  func([]string) values { return values{dirs: true} },
	"fmt":     func([]string) values { return values{files: []string{".dspec"}} },
	"check":   func([]string) values { return values{files: []string{".dspec"}} },
	"dump":    func([]string) values { return values{files: []string{".dspec"}} },
	"graph":   func([]string) values { return values{files: []string{".dspec"}} },
	"compile": func([]string) values { return specs },
	"diff":    func([]string) values { return specs },
	"pack":    func([]string) values { return specs },
	"build":   func([]string) values { return specs },
	"run":     func([]string) values { return specs },
	"bench":   func([]string) values { return specs },
	"doctor":  func([]string) values { return specs },
	"explain": func([]string) values { return values{words: explained(), files: []string{".dspec"}} },
	"help":    func(verbs []string) values { return values{words: verbs} },
}

// optional is the part of a value in brackets that may be left out.
var optional = regexp.MustCompile(`\[.*?\]`)

// flagValues are the values of a flag: those of the table, of its enumeration, or what its placeholder says, such as DIR or mean|max.
func flagValues(name, placeholder, enum string) values {
	if make, ok := valuesOfFlags[name]; ok {
		return make()
	}
	switch {
	case enum != "":
		return values{words: enumWords(enum)}
	case strings.Contains(placeholder, "|"):
		return values{words: strings.Split(optional.ReplaceAllString(placeholder, ""), "|")}
	case strings.HasSuffix(placeholder, "FILE"):
		return values{files: []string{""}}
	case strings.HasSuffix(placeholder, "DIR"):
		return values{dirs: true}
	}
	return values{}
}

func argValues(verb, enum string, verbs []string) values {
	if make, ok := valuesOfArgs[verb]; ok {
		return make(verbs)
	}
	if enum != "" {
		return values{words: enumWords(enum)}
	}
	return values{files: []string{""}, dirs: true}
}

// enumWords returns the values of an enumeration without the empty one, which nobody types.
func enumWords(enum string) []string {
	return slices.DeleteFunc(strings.Split(enum, ","), func(w string) bool { return w == "" })
}

// isaNames are the instruction sets that --isa takes.
func isaNames() []string {
	var names []string
	for _, k := range kernelReports() {
		names = append(names, k.ISA)
	}
	return names
}

// passNames are the passes that dump --after takes.
func passNames() []string {
	names := []string{"build"}
	for _, p := range compiler.Passes() {
		names = append(names, p.Name)
	}
	return names
}

// explained are the message codes, the words of the language and the published models.
func explained() []string {
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
