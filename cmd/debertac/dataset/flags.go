package dataset

// Flags holds the flags of verbs that read data files, apart from --format.
type Flags struct {
	Field      map[string]string `group:"Data" placeholder:"ROLE=NAME" help:"Name of a field by its role: --field text=sentence. docs/data.md lists the roles."`
	Characters bool              `group:"Data" help:"Offsets of entities count characters, not bytes."`
	Dataset    string            `group:"Data" placeholder:"TASK" help:"The data are those of a task of GLUE or SuperGLUE, such as mnli: a file or a folder."`
	Split      string            `group:"Data" placeholder:"NAME" help:"With --dataset: train, validation or test; of mnli also validation_mismatched."`
	WordColumn int               `group:"Data" placeholder:"N" help:"CoNLL: the column of the words, from 1, or from the end with -1 as the last (1)."`
	TagColumn  int               `group:"Data" placeholder:"N" help:"CoNLL: the column of the tags. Default: the last."`
	Scheme     string            `group:"Data" placeholder:"NAME" help:"Scheme of tags: bio, iob1, bioes, bilou, plain. Default: what fits the first ones."`
	WantScheme string            `group:"Data" placeholder:"NAME" help:"Scheme that tags are converted to. Default: they stay as they are."`
	RepairTags bool              `group:"Data" help:"Read tags that their scheme forbids as the script conlleval reads them. Without it they are faults."`
}

// Options returns the options that the flags stand for. format is the value of --format.
func (f *Flags) Options(format string) Options {
	return Options{
		Format: format, Fields: f.Field, Characters: f.Characters, Task: f.Dataset, Split: f.Split,
		Words: f.WordColumn, Tags: f.TagColumn, Scheme: f.Scheme, WantScheme: f.WantScheme, Repair: f.RepairTags,
	}
}
