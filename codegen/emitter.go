package codegen

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/dave/jennifer/jen"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/spec/zoo"
)

// The import paths of the runtime: what users of a generated package call, what generated code links, and the instruction sets.
const (
	runtimePath = "github.com/debertac/debertac/runtime"
	enginePath  = runtimePath + "/engine"
	cpuPath     = runtimePath + "/cpu"
)

// emitter holds what the files of one package share.
type emitter struct {
	p       *ir.Program
	pkg     *Package
	calls   []ir.Call       // the schedule
	regions []*ir.Region    // of the schedule, each once
	slot    map[string]int  // region and value → slot of the arena
	slots   []ir.Space      // the size of each slot
	names   map[string]bool // method and field names in use
	steps   []*step
	byNode  map[*ir.Node]*step
	kernels *kernelSet
	weights *weightTable
}

// Emit writes the package of a program that has passed all passes.
func Emit(p *ir.Program) (*Package, error) {
	if p.Plan == nil {
		return nil, fmt.Errorf("codegen: program %s has no plan", p.Name)
	}
	e := &emitter{p: p, pkg: &Package{Name: p.Name}, calls: p.Run, slot: map[string]int{}, names: map[string]bool{}, byNode: map[*ir.Node]*step{}}
	for _, b := range p.Plan.Buffers {
		e.slot[b.Region+"\x00"+b.Value] = b.Slot
		for len(e.slots) <= b.Slot {
			e.slots = append(e.slots, ir.Space{})
		}
		e.slots[b.Slot] = e.slots[b.Slot].Union(b.Space)
	}
	for _, c := range p.Run {
		if !slices.Contains(e.regions, c.Region) {
			e.regions = append(e.regions, c.Region)
			e.names[camel(c.Region.Name)] = true // the name of its method
		}
	}
	e.kernels = newKernelSet(e, p)
	e.weights = newWeightTable(e)
	if err := e.makeSteps(); err != nil {
		return nil, err
	}
	for _, write := range []func() error{e.modelFile, e.weightsFile, e.forwardFile, e.kernelFiles, e.testFile} {
		if err := write(); err != nil {
			return nil, fmt.Errorf("codegen: %w", err)
		}
	}
	return e.pkg, nil
}

// newFile starts a Go file with the header, and with import names that keep jennifer from writing aliases.
func (e *emitter) newFile() *jen.File {
	f := jen.NewFile(e.pkg.Name)
	f.HeaderComment(fmt.Sprintf("%s from %s. DO NOT EDIT.", header, fileName(e.p.File)))
	f.ImportName(runtimePath, "runtime")
	f.ImportName(enginePath, "engine")
	f.ImportName(cpuPath, "cpu")
	f.ImportName(attentionPath, "attention")
	return f
}

// buildLine is the beginning of a build constraint.
const buildLine = "//go:build "

// constrain puts a build constraint after the header.
func constrain(f *jen.File, constraint string) {
	f.HeaderComment(buildLine + constraint)
}

// add renders a file into the package.
func (e *emitter) add(name string, f *jen.File) error {
	text, err := render(f)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	e.pkg.Add(name, text)
	return nil
}

// field is one field of a literal.
type field struct {
	name  string
	value jen.Code
}

// literal returns the part of a struct literal after its type, with one field per line or with all fields on one line.
func literal(lines bool, fields ...field) jen.Code {
	var list []jen.Code
	for _, f := range fields {
		list = append(list, jen.Id(f.name).Op(":").Add(f.value))
	}
	return jen.Custom(jen.Options{Open: "{", Close: "}", Separator: ",", Multi: lines}, list...)
}

// comment returns a comment with one line per line of the text.
func comment(text string) *jen.Statement {
	code := jen.Null()
	for i, line := range strings.Split(text, "\n") {
		if i > 0 {
			code.Line()
		}
		code.Comment(strings.TrimSpace("// " + line))
	}
	return code
}

// textImports maps the names of packages that code given as text may use to their import paths.
var textImports = map[string]string{
	"attention": attentionPath, "context": "context", "engine": enginePath, "runtime": runtimePath, "strconv": "strconv", "unsafe": "unsafe",
}

// textQualified matches a name of such a package. A field may have the name of a package.
var textQualified = regexp.MustCompile(`(^|[^.\w])(attention|context|engine|runtime|strconv|unsafe)\.([A-Z]\w*)`)

// raw returns a statement or an expression given as text. The packages that the text names are imported.
func raw(format string, args ...any) *jen.Statement {
	text := format
	if len(args) > 0 {
		text = fmt.Sprintf(format, args...)
	}
	code, from := jen.Null(), 0
	for _, m := range textQualified.FindAllStringSubmatchIndex(text, -1) {
		code.Id(text[from:m[3]]).Qual(textImports[text[m[4]:m[5]]], text[m[6]:m[7]])
		from = m[1]
	}
	return code.Id(text[from:])
}

// render prints a file. It puts an empty line above a build constraint, and the imports of the standard library into a group of their own before the others.
func render(f *jen.File) ([]byte, error) {
	var b bytes.Buffer
	if err := f.Render(&b); err != nil {
		return nil, err
	}
	const open, end = "\nimport (\n", "\n)\n"
	text := strings.Replace(b.String(), "\n"+buildLine, "\n\n"+buildLine, 1)
	before, rest, ok := strings.Cut(text, open)
	if !ok {
		return []byte(text), nil
	}
	list, after, _ := strings.Cut(rest, end)
	var groups [2][]string
	for line := range strings.Lines(list + "\n") {
		other := 0
		if first, _, _ := strings.Cut(line, "/"); strings.Contains(first, ".") { // a path that begins with a domain
			other = 1
		}
		groups[other] = append(groups[other], line)
	}
	sep := ""
	if len(groups[0]) > 0 && len(groups[1]) > 0 {
		sep = "\n"
	}
	imports := strings.Join(groups[0], "") + sep + strings.Join(groups[1], "")
	return []byte(before + open + strings.TrimSuffix(imports, "\n") + end + after), nil
}

// plain returns a text of the user as part of a comment. It replaces characters that Go's scanner refuses and those that end the line.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\ufeff' {
			return unicode.ReplacementChar
		}
		return r
	}, text)
}

// fileName returns the last part of a path, with the separators of any system.
func fileName(path string) string { return plain(path[strings.LastIndexAny(path, `/\`)+1:]) }

// unique returns a name made from a stem that the package does not use yet.
func (e *emitter) unique(stem string) string {
	name := stem
	for i := 2; e.names[name]; i++ {
		name = fmt.Sprintf("%s%d", stem, i)
	}
	e.names[name] = true
	return name
}

// camel joins the words of a dotted or underscored name: attention.output.dense → attentionOutputDense.
func camel(name string) string {
	var b strings.Builder
	up := false
	for _, r := range name {
		switch {
		case !unicode.IsLetter(r) && !unicode.IsDigit(r):
			up = b.Len() > 0
		case up:
			b.WriteRune(unicode.ToUpper(r))
			up = false
		case b.Len() == 0:
			if unicode.IsDigit(r) {
				b.WriteByte('n')
			}
			b.WriteRune(unicode.ToLower(r))
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// title makes the first letter a capital.
func title(name string) string {
	if name == "" {
		return name
	}
	r := []rune(name)
	return string(unicode.ToUpper(r[0])) + string(r[1:])
}

// ofZoo reports whether a node's statement stands in a file of the zoo.
func (e *emitter) ofZoo(n *ir.Node) bool {
	return n.Pos.File != e.p.File && zoo.Text(n.Pos.File) != nil
}

// source returns the comment above the code of a node: the statement and its place.
func (e *emitter) source(n *ir.Node) string {
	place := ""
	switch {
	case e.ofZoo(n):
		place = fmt.Sprintf("%s:%d", n.Pos.File, n.Pos.Line)
	case !n.Pos.IsZero():
		place = fmt.Sprintf("%s:%d", fileName(n.Pos.File), n.Pos.Line)
	}
	note := plain(strings.Join(strings.Fields(n.Note), " "))
	if note == "" {
		note = n.Op
	}
	return strings.TrimSpace(note + "    " + place)
}
