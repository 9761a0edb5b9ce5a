package main

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime/command"
	builtprogram "github.com/debertac/debertac/runtime/program"
	"github.com/debertac/debertac/runtime/trainprogram"
)

// names is a set of flags, without their dashes.
type names map[string]bool

// flagTables holds the flags of every verb.
type flagTables struct {
	ours   map[string]names  // of debertac
	built  map[string]names  // of the programs that it builds
	verbOf map[string]string // of debertac, by the name of the Go type
	help   map[string]string // the help of a verb of debertac and of its flags
	about  map[string]string // the same of built programs
}

// flagLine is a line of the help of a built program.
var flagLine = regexp.MustCompile(`(?m)^ +--?([a-z][a-z0-9-]*)`)

func tablesOfFlags(t *testing.T) *flagTables {
	t.Helper()
	f := &flagTables{map[string]names{}, map[string]names{}, map[string]string{}, map[string]string{}, map[string]string{}}
	parser, err := kong.New(newGrammar(), helpTexts())
	require.NoError(t, err)
	var add func(verb string, n *kong.Node)
	add = func(verb string, n *kong.Node) {
		if f.ours[verb] == nil {
			f.ours[verb] = names{"help": true}
		}
		f.verbOf[n.Target.Type().Name()] = verb
		f.help[verb] += n.Help + "\n" + n.Detail + "\n"
		for _, group := range n.AllFlags(false) {
			for _, flag := range group {
				f.ours[verb][flag.Name] = true
				f.help[verb] += flag.Help + "\n"
			}
		}
		for _, sub := range n.Children {
			add(verb, sub)
		}
	}
	for _, n := range parser.Model.Children {
		add(n.Name, n)
	}
	require.Equal(t, f.verbOf[reflect.TypeFor[runVerb]().Name()], "run")

	f.built[""] = names{"version": true} // stands for a verb
	for _, verb := range builtVerbs(t) {
		var out bytes.Buffer
		code := builtprogram.Run(t.Context(), nil, []string{verb, "--help"}, builtprogram.Streams{Out: &out, Err: &out})
		require.Equal(t, builtprogram.ExitDone, code, out.String())
		f.about[verb], f.built[verb] = out.String(), names{"help": true}
		for _, m := range flagLine.FindAllStringSubmatch(out.String(), -1) {
			f.built[verb][m[1]] = true
		}
	}
	for _, verb := range []string{"step", "bench", "train"} { // of programs that train
		var out bytes.Buffer
		code := trainprogram.Run(t.Context(), nil, []string{verb, "--help"}, command.Streams{Out: &out, Err: &out})
		require.Equal(t, command.ExitDone, code, out.String())
		f.about["training "+verb], f.built["training "+verb] = out.String(), names{"help": true}
		for _, m := range flagLine.FindAllStringSubmatch(out.String(), -1) {
			f.built["training "+verb][m[1]] = true
		}
	}
	require.True(t, f.built["run"]["input"] && f.built["forward"]["out"] && f.built["bench"]["batch"])
	return f
}

// builtVerbs are the verbs of built programs.
func builtVerbs(t *testing.T) []string {
	t.Helper()
	var out bytes.Buffer
	require.Equal(t, builtprogram.ExitDone, builtprogram.Run(t.Context(), nil, []string{"help"}, builtprogram.Streams{Out: &out, Err: &out}))
	var verbs []string
	for _, m := range regexp.MustCompile(`(?m)^  ([a-z]+) `).FindAllStringSubmatch(out.String(), -1) {
		if m[1] != "help" {
			verbs = append(verbs, m[1])
		}
	}
	require.Greater(t, len(verbs), 4, out.String())
	return verbs
}

// all returns every flag of the named verbs, or of every verb if none is named.
func all(tables map[string]names, verbs ...string) names {
	if len(verbs) == 0 {
		verbs = slices.Collect(maps.Keys(tables))
	}
	list := names{}
	for _, v := range verbs {
		maps.Copy(list, tables[v])
	}
	return list
}

// foreign lists flags of other programs that messages and pages name, with the words that must come before them.
var foreign = map[string]string{"local-dir": "hf download", "porcelain": "git"}

var (
	named    = regexp.MustCompile(`(^|[^-\w])--([a-z][a-z0-9-]*)`)
	commands = regexp.MustCompile(`(?:^|[^-\w])debertac ([a-z]+)\b`)
	before   = regexp.MustCompile(`(\w+) --$`)
	starts   = regexp.MustCompile(`^(\w+) --`)
)

// misnamed returns the flags that a text names but that do not exist. A flag after "debertac VERB" or directly after the name of a verb must be one
// of that verb. Other flags must be in have.
func (f *flagTables) misnamed(text string, have names) (list []string) {
	for _, line := range strings.Split(text, "\n") {
		for _, m := range named.FindAllStringSubmatchIndex(line, -1) {
			name, front := line[m[4]:m[5]], line[:m[3]]
			if word := foreign[name]; word != "" && strings.Contains(front, word) {
				continue
			}
			allowed, where := have, "here"
			if c := commands.FindAllStringSubmatch(front, -1); c != nil && f.ours[c[len(c)-1][1]] != nil {
				where = c[len(c)-1][1]
				allowed = f.ours[where]
			} else {
				for _, r := range []*regexp.Regexp{starts, before} {
					if w := r.FindStringSubmatch(line[:m[4]]); w != nil && (f.ours[w[1]] != nil || f.built[w[1]] != nil) {
						where = w[1]
						allowed = all(map[string]names{"": f.ours[where], "built": f.built[where], "training": f.built["training "+where]})
					}
				}
			}
			if !allowed[name] {
				list = append(list, "--"+name+" ("+where+"): "+line)
			}
		}
	}
	return list
}

// TestFlagsThatAreNamedExist checks the flags in messages, hints, help texts and pages. A flag must belong to the verb that the text names, or else
// to a verb that can print the text.
func TestFlagsThatAreNamedExist(t *testing.T) {
	f := tablesOfFlags(t)
	for verb, text := range f.help {
		assert.Empty(t, f.misnamed(text, f.ours[verb]), "the help of debertac %s", verb)
	}
	for verb, text := range f.about {
		assert.Empty(t, f.misnamed(text, f.built[verb]), "the help of %s of a built program", verb)
	}
	anywhere := all(map[string]names{"": all(f.ours), "built": all(f.built)})
	ours := callers(t, packagesIn(t, "."), func(typename string) bool { return f.verbOf[typename] != "" })
	built := callers(t, []string{filepath.Join("..", "..", "runtime", "program")}, func(typename string) bool { return typename == "session" })
	root := filepath.Join("..", "..")
	messages, pages := 0, 0
	require.NoError(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := filepath.ToSlash(strings.TrimPrefix(path, root+string(filepath.Separator)))
		switch {
		case d.IsDir() && slices.Contains([]string{"generated", "build", "testdata", ".git", "release", "mutate"}, d.Name()) && name != "codegen/build":
			return fs.SkipDir
		case d.IsDir() || strings.HasSuffix(name, "_test.go"):
		case filepath.Ext(name) == ".md" && name != "CHANGELOG.md":
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			pages++
			assert.Empty(t, f.misnamed(commandsOnly(string(text)), anywhere), name)
		case filepath.Ext(name) == ".go":
			return eachLiteral(path, func(in, text string) {
				have := anywhere
				in = filepath.Base(filepath.Dir(name)) + ":" + in
				switch dir := filepath.ToSlash(filepath.Dir(name)); {
				case dir == "cmd/debertac" || strings.HasPrefix(dir, "cmd/debertac/"):
					have = all(f.ours, f.verbsOf(ours[in])...)
					if strings.HasPrefix(text, "--") && !strings.Contains(text, " ") { // passed on to a built program
						have = all(map[string]names{"": have, "built": all(f.built)})
					}
				case dir == "runtime/program":
					have = all(f.built, madeBy(built[in])...)
				}
				messages += len(named.FindAllString(text, -1))
				assert.Empty(t, f.misnamed(text, have), "%s, %s", name, in)
			})
		}
		return nil
	}))
	require.Greater(t, messages, 300)
	require.Greater(t, pages, 10)
}

// commandsOnly keeps the lines of a page that hold a command of debertac.
func commandsOnly(page string) string {
	var lines []string
	for _, line := range strings.Split(page, "\n") {
		for _, part := range strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune("`|;&", r) }) { // each command separately
			if commands.MatchString(part) {
				lines = append(lines, part)
			}
		}
	}
	return strings.Join(lines, "\n")
}

// eachLiteral calls f with every string literal in a file that is neither an import path nor a tag of a field, and with the function that it is in.
// Tags hold help texts, which are checked where they are printed.
func eachLiteral(path string, f func(function, text string)) error {
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		return err
	}
	for _, d := range file.Decls {
		in := ""
		if fn, ok := d.(*ast.FuncDecl); ok {
			in = functionName(fn)
		}
		ast.Inspect(d, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ImportSpec, *ast.StructType:
				return false
			case *ast.BasicLit:
				if text, err := strconv.Unquote(n.Value); err == nil && n.Kind == token.STRING {
					f(in, text)
				}
			}
			return true
		})
	}
	return nil
}

func functionName(fn *ast.FuncDecl) string {
	if fn.Recv == nil {
		return fn.Name.Name
	}
	of := fn.Recv.List[0].Type
	if star, ok := of.(*ast.StarExpr); ok {
		of = star.X
	}
	return of.(*ast.Ident).Name + "." + fn.Name.Name
}

// packagesIn lists the folders with Go files in a folder and below.
func packagesIn(t *testing.T, root string) (dirs []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch dir := filepath.Dir(path); {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "testdata" || d.Name() == "template"):
			return fs.SkipDir
		case filepath.Ext(path) == ".go" && !slices.Contains(dirs, dir):
			dirs = append(dirs, dir)
		}
		return nil
	}))
	return dirs
}

// function is one function of the packages that callers looks at.
type function struct {
	pkg  string
	decl *ast.FuncDecl
}

// functionsIn lists the functions of some packages.
func functionsIn(t *testing.T, dirs []string) map[string]function {
	t.Helper()
	functions := map[string]function{}
	for _, dir := range dirs {
		whole, err := filepath.Abs(dir)
		require.NoError(t, err)
		entries, err := os.ReadDir(dir)
		require.NoError(t, err)
		for _, e := range entries {
			if filepath.Ext(e.Name()) != ".go" || strings.HasSuffix(e.Name(), "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(dir, e.Name()), nil, 0)
			require.NoError(t, err)
			for _, d := range file.Decls {
				if fn, ok := d.(*ast.FuncDecl); ok {
					pkg := filepath.Base(whole)
					functions[pkg+":"+functionName(fn)] = function{pkg, fn}
				}
			}
		}
	}
	return functions
}

// callers lists, for every function of some packages, all functions that may lead to it. Functions are named as "package:function" or
// "package:type.method". The name of a method stands for every method of that name, unless it is a method of the caller's own receiver. So the list
// can have more callers than there are. Methods of root types are not followed further.
func callers(t *testing.T, dirs []string, root func(typename string) bool) map[string]names {
	t.Helper()
	functions := functionsIn(t, dirs)
	direct := map[string]names{} // of "p:f", "p:T.f", and ".f", which is any method
	for caller, fn := range functions {
		local := localNames(fn.decl)
		note := func(called string) {
			if local[strings.TrimPrefix(called, fn.pkg+":")] {
				return
			}
			if direct[called] == nil {
				direct[called] = names{}
			}
			direct[called][caller] = true
		}
		of, _, _ := strings.Cut(caller, ".")
		recv := ""
		if r := fn.decl.Recv; r != nil && len(r.List[0].Names) > 0 {
			recv = r.List[0].Names[0].Name
		}
		ast.Inspect(fn.decl.Body, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.SelectorExpr:
				x, ok := n.X.(*ast.Ident)
				switch {
				case ok && recv != "" && x.Name == recv && functions[of+"."+n.Sel.Name].decl != nil:
					note(of + "." + n.Sel.Name)
				case ok && !local[x.Name] && functions[x.Name+":"+n.Sel.Name].decl != nil: // of another package
					note(x.Name + ":" + n.Sel.Name)
				default:
					note("." + n.Sel.Name)
				}
				ast.Inspect(n.X, func(n ast.Node) bool { // a function called before the point
					if id, ok := n.(*ast.Ident); ok {
						note(fn.pkg + ":" + id.Name)
					}
					return true
				})
			case *ast.Ident:
				note(fn.pkg + ":" + n.Name)
			}
			return true
		})
	}
	lead := map[string]names{}
	var follow func(into names, name string)
	follow = func(into names, name string) {
		if into[name] {
			return
		}
		into[name] = true
		of, method, ok := strings.Cut(name, ".")
		if ok && root(typeOf(of)) {
			return
		}
		for caller := range direct[name] {
			follow(into, caller)
		}
		if ok {
			for caller := range direct["."+method] {
				follow(into, caller)
			}
		}
	}
	for name := range functions {
		lead[name] = names{}
		follow(lead[name], name)
	}
	return lead
}

// localNames returns the names that a function declares: its parameters, results and variables. They do not stand for functions of the package.
func localNames(fn *ast.FuncDecl) names {
	list := names{}
	ast.Inspect(fn, func(n ast.Node) bool {
		var declared []ast.Expr
		switch n := n.(type) {
		case *ast.AssignStmt:
			if n.Tok == token.DEFINE {
				declared = n.Lhs
			}
		case *ast.RangeStmt:
			if n.Tok == token.DEFINE {
				declared = []ast.Expr{n.Key, n.Value}
			}
		case *ast.ValueSpec:
			for _, id := range n.Names {
				declared = append(declared, id)
			}
		case *ast.Field:
			for _, id := range n.Names {
				declared = append(declared, id)
			}
		}
		for _, x := range declared {
			if id, ok := x.(*ast.Ident); ok {
				list[id.Name] = true
			}
		}
		return true
	})
	return list
}

// TestLocalNames checks that a variable with the name of a function does not count as a call of it.
func TestLocalNames(t *testing.T) {
	dir := t.TempDir()
	const source = `package p
func run() {}
func calls() { run() }
func passes() { f(run) }
func assigns() { run := 1; _ = run }
func takes(run int) int { return run }
func results() (run int) { return }
func ranges() { for _, run := range x { _ = run } }
func declares() { var run int; _ = run }
`
	require.NoError(t, os.WriteFile(filepath.Join(dir, "p.go"), []byte(source), 0o600))
	all := callers(t, []string{dir}, func(string) bool { return false })
	pkg := filepath.Base(dir) + ":"
	require.Equal(t, names{pkg + "run": true, pkg + "calls": true, pkg + "passes": true}, all[pkg+"run"])
}

// verbsOf returns the verbs of debertac among callers. The list is empty if there are no verbs, as for main and for tables.
func (f *flagTables) verbsOf(callers names) []string {
	verbs := names{}
	for name := range callers {
		of, _, _ := strings.Cut(name, ".")
		if verb := f.verbOf[typeOf(of)]; verb != "" {
			verbs[verb] = true
		}
	}
	return slices.Sorted(maps.Keys(verbs))
}

// madeBy returns the verbs of built programs among callers: newRun makes run.
func madeBy(callers names) (verbs []string) {
	for name := range callers {
		if verb, ok := strings.CutPrefix(typeOf(name), "new"); ok && verb != "" && strings.ToUpper(verb[:1]) == verb[:1] {
			verbs = append(verbs, strings.ToLower(verb))
		}
	}
	return verbs
}

// typeOf returns a name without its package.
func typeOf(name string) string {
	_, name, _ = strings.Cut(name, ":")
	return name
}
