package scaffold

import (
	"cmp"
	"errors"
	"go/format"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/debertac/debertac/cmd/debertac/console"
	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/cmd/debertac/folder"
	"github.com/debertac/debertac/cmd/debertac/gopackage"
	"github.com/debertac/debertac/cmd/debertac/model"
	"github.com/debertac/debertac/cmd/debertac/source"
	"github.com/debertac/debertac/cmd/debertac/wording"
	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/runtime/tasktable"
	"github.com/debertac/debertac/spec/hf"
)

// call is a call of generated packages that a new program makes. Its statements are in template/calls/NAME.tmpl.
type call struct {
	Name string
	*tasktable.Start
}

// template returns the name of the file of the call's statements.
func (c *call) template() string { return cmp.Or(c.Template, c.Name) }

// callFor returns the call that a program for the package makes. Of the calls of its task that the package has, it is the one that the word of --head
// asks for, else one for models with such labels, else the first. It is nil if the package has no call that takes texts.
func callFor(g *gopackage.Package, head string) *call {
	m := &g.Unit.Program.Meta
	row := tasktable.Of(m.Task)
	var best *call
	rank := 0
	for _, s := range append([]tasktable.Service{row.Direct}, row.Services...) {
		for _, v := range s.Verbs {
			if v.Start == nil || !gopackage.HasMethod(g.Pkg, v.Name) || !v.Start.When.HoldsFor(m.Labels) {
				continue
			}
			n := 1
			switch {
			case v.Start.Head != "" && v.Start.Head == head:
				n = 3
			case v.Start.Head != "":
				n = 0
			case v.Start.When != tasktable.Always:
				n = 2
			}
			if n > rank {
				best, rank = &call{v.Name, v.Start}, n
			}
		}
	}
	return best
}

// fromFolder makes the new folder from a model folder: the spec, the package of its head, a program with the right call, and the weights.
func (v *Scaffold) fromFolder(c *console.Console, s *start) error {
	dir, err := v.open(c)
	if err != nil {
		return err
	}
	defer dir.Close()
	if dir.IsPair() && v.Head == "" {
		return fault.Input(dir.Dir, "the folder is a generator and a discriminator, one of them is wanted").Hint("--head fill-mask or --head rtd")
	}
	if dir.Token == nil {
		return fault.Input(v.From, "the folder has no tokenizer, which the program's texts need").Hint("--tokenizer DIR|FILE")
	}
	text, notes, err := dir.Spec(hf.Options{Model: s.Model})
	if err != nil {
		return err
	}
	src, err := source.Parse(c, filepath.Join(v.Dir, specFile), []byte(text))
	if err != nil {
		return err
	}
	in := gopackage.Place{}
	if name := compiler.PackageName(s.Model); name == path.Base(s.Module) { // the program of go build has this name too, in the same folder
		in.Package = name + "model"
	}
	made, err := gopackage.GenerateFrom(c, src, source.Choice{}, in)
	if err != nil {
		return err
	}
	if len(made) != 1 {
		return fault.Input(v.From, "the spec of the folder emits %d packages, one is wanted", len(made)).Hint("--head NAME")
	}
	g := &made[0]
	s.Package, s.Weights, s.FromName = g.Pkg.Name, strings.ReplaceAll(s.Model, "_", "-")+".weights", filepath.Base(dir.Dir)
	g.Dir = filepath.Join(v.Dir, s.Package)
	if s.Call = callFor(g, v.Head); s.Call == nil {
		return fault.Input(v.From, "the package of this model has no call that takes texts").Hint("debertac import %s -o %s, and debertac compile",
			wording.Quoted(v.From), wording.Quoted(specFile))
	}
	s.Normalize = dir.Beside.Sentences != nil && dir.Beside.Sentences.Normalize
	if s.From, err = commandPath(g.Dir, v.From); err != nil {
		return err
	}
	if v.Tokenizer != "" {
		path, err := commandPath(g.Dir, v.Tokenizer)
		if err != nil {
			return err
		}
		s.From += " --tokenizer " + path
	}
	for _, name := range v.Ignore {
		s.From += " --ignore " + argument(name)
	}
	texts, err := s.programFrom()
	if err != nil {
		return fault.Ours(err)
	}
	texts[specFile], texts[".gitignore"] = []byte(text), []byte("*.weights\n")
	for _, n := range notes {
		c.Note("%s: note: %s", v.From, n)
	}
	if err := v.write(c, texts, made, ownWeights{s.Weights, g.Unit}); err != nil {
		return err
	}
	if dir.Weights == nil {
		c.Note("%s: note: the folder has no weights: go generate packs them when it has", v.From)
	} else if err := folder.Pack(c, g.Unit, dir, filepath.Join(v.Dir, s.Weights)); err != nil {
		return err
	}
	tidy := "go mod tidy && "
	if s.Replace != "" {
		tidy = ""
	}
	c.Note("%s: a spec, package %s generated from it, a program that calls %s, and the weights. Next:\n  cd %s && "+tidy+"go run . %s %s\nAfter a "+
		"change of model.dspec:\n  go generate ./...",
		v.Dir, s.Package, s.Call.Name, v.Dir, s.Weights, s.Call.Args)
	return nil
}

// open opens the model folder.
func (v *Scaffold) open(c *console.Console) (*folder.Folder, error) {
	if st, err := disk.Stat(v.From); err == nil && !st.IsDir() {
		return nil, fault.Input(v.From, "this is a file, a Hugging Face model folder is wanted")
	}
	_, dir, err := model.Open(c, v.From, model.Options{Wishes: v.Wishes, LentFlag: v.LentFlag, ShapesOnly: true})
	return dir, err
}

// programFrom fills in the templates of a program for a model folder.
func (s *start) programFrom() (map[string][]byte, error) {
	body, err := fill("calls/"+s.Call.template()+".tmpl", s)
	if err != nil {
		return nil, err
	}
	s.Body = strings.TrimSpace(body)
	texts := map[string][]byte{}
	if len(s.sums) > 0 {
		texts["go.sum"] = s.sums
	}
	for path, name := range map[string]string{"go.mod": "go.mod.tmpl", "main.go": "main_from.go.tmpl", filepath.Join(s.Package, "doc.go"): "doc_from.go.tmpl"} {
		text, err := fill(name, s)
		if err != nil {
			return nil, err
		}
		texts[path] = []byte(text)
		if filepath.Ext(path) == ".go" {
			formatted, err := format.Source([]byte(text))
			if err != nil {
				return nil, errors.Join(err, errors.New(text))
			}
			texts[path] = formatted
		}
	}
	return texts, nil
}

// commandPath returns a path for a line of go generate in the folder dir. It is relative, so that both can be moved together.
func commandPath(dir, path string) (string, error) {
	from, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	to, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	rel, err := filepath.Rel(from, to)
	if err != nil {
		rel = to
	}
	return argument(rel), nil
}

// argument returns a word as a line of go generate needs it: quoted if necessary.
func argument(word string) string {
	if strings.ContainsAny(word, " \t\"$") {
		return strconv.Quote(word)
	}
	return word
}
