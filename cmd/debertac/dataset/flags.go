package dataset

import (
	"fmt"
	"reflect"
	"strconv"
)

// Flags holds the flags of verbs that read data files. NewFlags makes it.
type Flags struct {
	Format  string `group:"Data" placeholder:"NAME" help:"Format of the data files, if their names do not tell, such as conll, squad or documents."`
	Dataset string `group:"Data" placeholder:"TASK" help:"The data are those of a task of GLUE or SuperGLUE, such as mnli or boolq: a file or a folder."`
	Split   string `group:"Data" placeholder:"NAME" help:"With --dataset: train, validation or test; mnli also has validation_mismatched."`
	Offsets string `group:"Data" enum:",bytes,characters" default:"" placeholder:"bytes|characters" help:"What offsets of entities count."`

	WordColumn int    `group:"Data" placeholder:"N" help:"CoNLL: the column of the words, from 1, or from the end with -1 as the last. Default: 1."`
	TagColumn  int    `group:"Data" placeholder:"N" help:"CoNLL: the column of the tags. Default: the last."`
	Scheme     string `group:"Data" placeholder:"NAME" help:"Scheme of the tags: bio, iob1, bioes, bilou or plain. Default: what fits the first sentences."`
	WantScheme string `group:"Data" placeholder:"NAME" help:"Scheme that the tags are converted to. Default: they stay as they are."`
	RepairTags bool   `group:"Data" help:"Read tags that their scheme forbids as the script conlleval reads them. Without it they are faults."`

	Fields any `embed:""` // a pointer at a struct with one string per role
}

// NewFlags makes the struct that the parser fills.
func NewFlags() Flags {
	var all []reflect.StructField
	for i, r := range roles {
		tag := fmt.Sprintf(`name:%q group:"Data" placeholder:"FIELD" help:%q`, FieldFlag(r.Name), "The field that is "+r.Help+". Default: "+r.Name+".")
		all = append(all, reflect.StructField{Name: "F" + strconv.Itoa(i), Type: reflect.TypeFor[*string](), Tag: reflect.StructTag(tag)})
	}
	return Flags{Fields: reflect.New(reflect.StructOf(all)).Interface()}
}

// Options returns the options that the flags stand for.
func (f *Flags) Options() Options {
	o := Options{
		Format: f.Format, Task: f.Dataset, Split: f.Split, Characters: f.Offsets == "characters",
		Words: f.WordColumn, Tags: f.TagColumn, Scheme: f.Scheme, WantScheme: f.WantScheme, Repair: f.RepairTags,
	}
	fields := reflect.ValueOf(f.Fields).Elem()
	for i, r := range roles {
		if p, ok := fields.Field(i).Interface().(*string); ok && p != nil {
			if o.Fields == nil {
				o.Fields = map[string]string{}
			}
			o.Fields[r.Name] = *p
		}
	}
	return o
}
