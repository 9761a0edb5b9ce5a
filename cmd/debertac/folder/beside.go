package folder

import (
	"maps"

	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/task"
	"github.com/debertac/debertac/runtime/tasktable"
)

// extra returns the settings of the folder that are packed for a model's tasks, by key: those of its files other than the configuration, and, for a
// head that reads labels in front of a text, those of entityExtra.
func (f *Folder) extra(u *compiler.Unit) (map[string]string, error) {
	extra, err := f.entityExtra(u)
	if err == nil {
		err = f.checkLabelTokens(u)
	}
	if err != nil {
		return nil, err
	}
	set := map[string]string{}
	t, b := u.Program.Meta.Task, f.Beside
	if b.TruncateLeft {
		set[engine.TruncateKey] = "left"
	}
	if Vectors(t) {
		if set[task.PromptsKey], err = b.MarshalPrompts(); err != nil {
			return nil, fault.Ours(err)
		}
		set[task.PromptKey] = b.Default
		if b.Sentences != nil && b.Sentences.Normalize {
			set[task.NormalizeKey] = "true"
		}
	}
	if t == tasktable.Score && b.Activation != "identity" {
		set[task.ActivationKey] = b.Activation
	}
	maps.DeleteFunc(set, func(_, value string) bool { return value == "" })
	if len(set) > 0 && extra == nil {
		extra = map[string]string{}
	}
	maps.Copy(extra, set)
	return extra, nil
}

// lowers reports whether texts for a model of this folder are lower-cased before the tokenizer reads them. This applies to the tasks of
// sentence-transformers. It applies to scores of pairs only if the folder lists its modules, because sentence-transformers reads the setting only
// then.
func (f *Folder) lowers(u *compiler.Unit) bool {
	t := u.Program.Meta.Task
	return f.Beside.LowerCase && (Vectors(t) || f.Beside.Sentences != nil && tasktable.Of(t).ServedBy("Scorer"))
}
