package tasktable

import (
	"slices"
	"strings"
)

// Service is a type that makes results from a head's numbers. Generated packages have one call for each of its verbs.
type Service struct {
	Name    string // name of the type. The function New followed by this name, in runtime/task, makes it from an open model and the name of a head
	Use     string // what the head is needed for, in messages
	Field   string // field of the generated Model; it holds a function that makes the service once
	Maker   string // name of the function in runtime/task, if it is not New followed by Name
	Options string // a type of runtime/task whose zero value is the last argument of the New function; "": no such argument
	When    Condition
	Types   []Type // types that the verbs take and return, for which the generated package declares short names
	Verbs   []Verb
}

// Condition selects the heads of a task for which a generated package has a service or a verb.
type Condition uint8

// The conditions.
const (
	Always     Condition = iota
	Entailing            // a label begins with "entail"
	Numbered             // there are several labels, all named LABEL_0 and so on, as transformers names labels without names
	Causal               // no token sees later tokens
	Uncausal             // tokens see both sides
	WholeTexts           // the output has one row per sequence or token, so that a text alone decides its rows
)

// HoldsFor reports whether a condition about labels is true for them. It returns true for other conditions.
func (c Condition) HoldsFor(labels []string) bool {
	switch c {
	case Entailing:
		return slices.ContainsFunc(labels, func(l string) bool { return strings.HasPrefix(strings.ToLower(l), "entail") })
	case Numbered:
		return len(labels) > 1 && !slices.ContainsFunc(labels, func(l string) bool {
			digits, ok := strings.CutPrefix(l, "LABEL_")
			return !ok || digits == "" || strings.Trim(digits, "0123456789") != ""
		})
	}
	return true
}

// Type is a type for which generated packages declare a short name.
type Type struct{ Name, Doc string }

// Verb is a method of the generated Model that calls a method of a service.
type Verb struct {
	Name   string // name of the Model's method
	Method string // name of the service's method; "": Name
	In     string // parameters as Go writes them. A type without a package is a short name of the generated package
	Given  string // the options that an example sets, as Go writes the fields of a literal
	Out    string // results
	Doc    string // doc comment of the method, after its name
	Start  *Start // the program that debertac init --from writes for this call; nil: no program
}

// Start describes a small program that makes one call. Its statements are a template of the verb's name in cmd/debertac/scaffold/template/calls.
type Start struct {
	Doc      string   // what the program does
	Args     string   // arguments of the program, after the weights
	Least    int      // the least length of os.Args
	Imports  []string // imports from the standard library
	Runtime  bool     // it needs package runtime
	Packages []string // packages below runtime that it needs
	Template string   // the name of the template, if it has another one
	Head     string   // the word of debertac --head that asks for this program; "": the program for all other words
	When     Condition
}

// Wish is a word by which debertac --head asks for a head of a model folder.
type Wish struct {
	Word string
	Task Task // task of the head that the word asks for
}

// Wishes lists the words of debertac --head, in the order in which help lists them.
var Wishes = []Wish{
	{"classify", Labels}, {"score", Score}, {"zero-shot", Labels}, {"rank", Score}, {"tag", Tags}, {"answer", Span}, {"choose", Choices}, {"embed", Vector},
	{"fill-mask", MLM}, {"emd", MLM}, {"perplexity", MLM}, {"generate", MLM}, {"rtd", Replaced}, {"entities", Entities}, {"own-labels", OwnLabels},
	{"extract", Extract},
}
