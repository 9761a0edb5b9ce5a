package folder

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/debertac/debertac/cmd/debertac/console"
	"github.com/debertac/debertac/cmd/debertac/source"
	"github.com/debertac/debertac/runtime/tasktable"
	"github.com/debertac/debertac/spec"
	"github.com/debertac/debertac/spec/hf"
)

// SpecOf returns the spec of a model folder: the spec in file, or else the spec that import would write, with its limit on tokens raised to seq.
func SpecOf(c *console.Console, dir *Folder, file string, seq int) (*source.Source, error) {
	if file != "" {
		return source.Load(c, file)
	}
	name := filepath.Join(dir.Dir, "model.dspec")
	c.ShowAs(name, fmt.Sprintf("%s (debertac import %s writes the spec that it stands for)", filepath.Join(dir.Dir, dir.name), dir.Dir))
	text, _, err := dir.Spec(hf.Options{Model: NameOf(dir.Dir), Warn: func(text string) {
		c.Note("%s: note: %s", filepath.Join(dir.Dir, dir.name), text)
	}})
	if err != nil {
		return nil, err
	}
	src, err := source.Parse(c, name, []byte(text))
	if err != nil || src.Spec.Models[0].Seq >= seq {
		return src, err
	}
	if text, _, err = dir.Spec(hf.Options{Model: NameOf(dir.Dir), Seq: seq, Warn: func(string) {}}); err != nil {
		return nil, err
	}
	return source.Parse(c, name, []byte(text))
}

// Vectors reports whether a task produces vectors for texts, or the rows that they are made of.
func Vectors(t tasktable.Task) bool { return tasktable.Of(t).ServedBy("Embedder") }

var notIdentifier = regexp.MustCompile(`[^A-Za-z0-9]+`)

// NameOf makes an identifier from a folder's name. It is never the name of a published model.
func NameOf(dir string) string {
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	name := strings.Trim(notIdentifier.ReplaceAllString(strings.ToLower(filepath.Base(dir)), "_"), "_")
	if name == "" || name[0] >= '0' && name[0] <= '9' {
		name = "model_" + name
	}
	name = strings.TrimRight(name, "_")
	if spec.ZooModel(name) != nil {
		return "my_" + name // the model will be like the published one, and no model can be like itself
	}
	return name
}
