// Package scaffold makes folders for new programs: a spec, a package generated from it, and a program that calls the package.
package scaffold

import (
	"embed"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"text/template"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"

	"github.com/debertac/debertac/cmd/debertac/console"
	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/cmd/debertac/folder"
	"github.com/debertac/debertac/cmd/debertac/gopackage"
	"github.com/debertac/debertac/cmd/debertac/source"
	"github.com/debertac/debertac/cmd/debertac/version"
	"github.com/debertac/debertac/cmd/debertac/wording"
	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/spec"
)

// modulePath is the module that generated code links.
const modulePath = "github.com/debertac/debertac"

// Scaffold holds the flags that describe a new program.
type Scaffold struct {
	Dir     string   `arg:"" help:"Folder to make; it must be new or empty."`
	From    string   `placeholder:"DIR" help:"Hugging Face model folder to start from: its spec, its head, its weights."`
	Like    string   `placeholder:"MODEL" help:"Without --from: published model that the spec starts from. Default: deberta_v3_base."`
	Labels  []string `placeholder:"A,B" help:"Without --from: labels of the classifier, two or more. Default: negative,positive."`
	Module  string   `placeholder:"PATH" help:"@scaffold_module"`
	Version string   `placeholder:"V" help:"Version of debertac to require, such as v1.2.3. Default: the version of this program."`
	Replace string   `placeholder:"DIR" help:"A checkout of debertac that the module uses in place of a published version."`
	folder.Wishes
	folder.LentFlag
}

// FromCheckout returns the commands by which a module uses debertac from a checkout, which the docs show too.
func FromCheckout() []string {
	return []string{
		"go mod edit -require " + modulePath + "@v0.0.0 -replace " + modulePath + "=path/to/debertac",
		"go mod edit -tool " + modulePath + "/cmd/debertac",
		"go mod tidy",
	}
}

//go:embed template
var templates embed.FS

// start holds the values that the templates are filled with.
type start struct {
	Module  string   // path of the new module
	Model   string   // its name in the spec
	Package string   // of the generated code
	Like    string   // the published model
	Labels  []string //
	Go      string   // version for go.mod
	Debertac,
	Version, Replace string
	Call      *call    // that a program for a model folder makes
	Body      string   // its statements
	From      string   // the model folder, as a command in the package's folder names it, with its flags
	FromName  string   // its name
	Weights   string   // the file of the packed weights
	Normalize bool     // embeddings are divided by their length
	Requires  []string // lines "path version" of the modules that debertac's sources in Replace require
	sums      []byte   // go.sum of these sources: with both the module builds without a network
}

// specFile is the spec's name in the new folder.
const specFile = "model.dspec"

// taken lists the first elements of paths that belong to Go: its packages, its commands, and names with a special meaning for the go command.
var taken = strings.Fields("all archive arena bufio builtin bytes cmd cmp compress container context crypto database debug embed encoding errors " +
	"expvar flag fmt go hash html image " +
	"index internal io iter log main maps math mime net os path plugin reflect regexp runtime slices sort std strconv strings structs sync syscall " +
	"testing text time tool unicode unique " +
	"unsafe vendor weak")

// Ident returns the name by which the program calls the generated package: its own, unless the program has another thing of this name.
func (s *start) Ident() string {
	for _, name := range []string{"template/main_from.go.tmpl", "template/calls/" + s.Call.template() + ".tmpl"} {
		text, err := templates.ReadFile(name)
		if err == nil && slices.Contains(word.FindAllString(string(text), -1), s.Package) {
			return "generated"
		}
	}
	return s.Package
}

var word = regexp.MustCompile(`\w+`)

var notName = regexp.MustCompile(`[^a-z0-9_]+`)

// Make makes the folder.
func (v *Scaffold) Make(c *console.Console) error {
	s, err := v.plan()
	if err != nil {
		return err
	}
	if v.From != "" {
		return v.fromFolder(c, s)
	}
	if v.Given() || v.Tokenizer != "" {
		return fault.Usage("debertac init --help", "--head, --layer, --pool, --mask, --seq, --ignore and --tokenizer belong to --from, a model folder")
	}
	// Everything is made in memory first, so a model that cannot be compiled leaves no incomplete folder.
	texts := map[string][]byte{}
	for path, name := range map[string]string{
		"go.mod": "go.mod.tmpl", "main.go": "main.go.tmpl", specFile: "model.dspec.tmpl", filepath.Join(s.Package, "doc.go"): "doc.go.tmpl",
	} {
		text, err := fill(name, s)
		if err != nil {
			return fault.Ours(err)
		}
		texts[path] = []byte(text)
	}
	if len(s.sums) > 0 {
		texts["go.sum"] = s.sums
	}
	src, err := source.Parse(c, filepath.Join(v.Dir, specFile), texts[specFile])
	if err != nil {
		return err
	}
	made, err := gopackage.GenerateFrom(c, src, source.Choice{}, gopackage.Place{Out: filepath.Join(v.Dir, s.Package)})
	if err != nil {
		return err
	}
	if err := v.write(c, texts, made, ownWeights{}); err != nil {
		return err
	}
	tidy := "go mod tidy && "
	if s.Replace != "" {
		tidy = ""
	}
	c.Note("%s: a spec, package %s generated from it, and a program. Next:\n  cd %s && "+tidy+"go build .\nAfter a change of model.dspec:\n  go "+
		"generate ./...", v.Dir, s.Package, v.Dir)
	return nil
}

// plan checks the flags and fills in what follows from them.
func (v *Scaffold) plan() (*start, error) {
	base, err := filepath.Abs(v.Dir)
	if err != nil {
		return nil, err
	}
	name := strings.Trim(notName.ReplaceAllString(strings.ToLower(filepath.Base(base)), "_"), "_")
	switch {
	case strings.Trim(name, "0123456789_") == "":
		name = "model" + name
	case name[0] >= '0' && name[0] <= '9', spec.ZooModel(name) != nil: // a name begins with a letter, and no model can be like itself
		name = "my_" + name
	}
	if err := v.Check(); err != nil {
		return nil, err
	}
	if v.From != "" && (v.Like != "" || v.Labels != nil) {
		return nil, fault.Usage("debertac init --help", "--like and --labels are for a new model, and contradict --from")
	}
	if v.Like == "" {
		v.Like = "deberta_v3_base"
	}
	if v.Labels == nil {
		v.Labels = []string{"negative", "positive"}
	}
	s := &start{Module: v.Module, Model: name, Package: strings.ReplaceAll(name, "_", "") + "classifier", Like: v.Like, Labels: v.Labels,
		Go: "1.26.0", Debertac: modulePath, Version: v.Version}
	if s.Module == "" {
		s.Module = strings.ReplaceAll(name, "_", "-")
		if slices.Contains(taken, s.Module) {
			s.Module = "my-" + s.Module
		}
	}
	if first, _, _ := strings.Cut(s.Module, "/"); slices.Contains(taken, first) {
		return nil, fault.Usage("--module example.com/"+s.Module, "--module %s: %s is a package of Go", s.Module, first)
	}
	if err := module.CheckImportPath(s.Module); err != nil {
		return nil, fault.Usage("debertac init --help", "--module %s: %v", s.Module, err)
	}
	if spec.ZooModel(v.Like) == nil {
		return nil, fault.Usage("debertac init --help", "--like %s: no such model; there are %s", v.Like, wording.List(spec.Zoo()))
	}
	if len(v.Labels) < 2 {
		return nil, fault.Usage("--labels ham,spam", "--labels: at least two are wanted")
	}
	if v.Replace != "" {
		dir, err := filepath.Abs(v.Replace)
		if err != nil {
			return nil, err
		}
		s.Replace, s.Version = dir, "v0.0.0"
		return s, s.readSources()
	}
	if s.Version == "" {
		s.Version = version.Read().Version
		if module.IsPseudoVersion(s.Version) || strings.Contains(s.Version, "+dirty") {
			s.Version = "" // the version of a work tree is not published
		}
	}
	if !semver.IsValid(s.Version) {
		if v.Version != "" {
			return nil, fault.Usage("--version v1.2.3", "--version %s is not a version of a Go module", v.Version)
		}
		return nil, fault.Usage("--replace DIR, the checkout that debertac was built from, or --version V",
			"this debertac was built from a checkout and has no published version: say where the checkout is, or which version to require")
	}
	return s, nil
}

// readSources reads what the sources in Replace require.
func (s *start) readSources() error {
	path := filepath.Join(s.Replace, "go.mod")
	text, err := disk.ReadFile(path, folder.MostText)
	if err != nil {
		return fault.Input(s.Replace, "this is not the folder of debertac's sources: %v", err)
	}
	mod, err := modfile.Parse(path, text, nil)
	if err != nil || mod.Module == nil || mod.Module.Mod.Path != modulePath {
		return fault.Input(path, "this is not the module %s", modulePath)
	}
	if mod.Go != nil {
		s.Go = mod.Go.Version
	}
	for _, r := range mod.Require {
		s.Requires = append(s.Requires, r.Mod.Path+" "+r.Mod.Version)
	}
	s.sums, err = disk.ReadFile(filepath.Join(s.Replace, "go.sum"), folder.MostText)
	return err
}

// fill executes a template.
func fill(name string, s *start) (string, error) {
	base := path.Base(name)
	t, err := template.New(base).Delims("[[", "]]").ParseFS(templates, "template/"+name)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	if err := t.ExecuteTemplate(&b, base, s); err != nil {
		return "", err
	}
	return b.String(), nil
}
