package debertac_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// phrase is a phrase that readers stumble over. The pattern is searched for in comments, in string literals and on the pages.
type phrase struct {
	pattern string
	instead string
}

// phrases lists the phrases that CONTRIBUTING.md asks not to use. Where such a phrase would be correct, use another wording.
var phrases = []phrase{
	{`behind`, "after, following (in time or order)"},
	{`(is|are|was|be) due`, "is expected, want X"},
	{`gives`, "returns, produces, yields"},
	{`says (?:that|what|whether|so|how|which|of|it|the|an?)`, "reports, describes, states (to say why and where is fine)"},
	{`(is|are|be|was|were) none`, "is not (a number), is missing, there is no X"},
	{`so many`, "the ones that, this many"},
	{`needs? not`, "does not need to"},
	{`who reads`, "readers, callers"},
	{`faults? of ours`, "internal errors"},
	{`as far as there`, "if any"},
	{`of equals?,? the`, "ties: the first wins"},
	{`(an?|one|each) [\w-]+ an? (` + things + `)`, "one X per Y"},
	{`(once|twice|one) an? (` + things + `|block)`, "once per Y"},
	{`(times|tokens|bytes|numbers|logits|rows|words|labels|texts|copies|milliseconds|allocations|megabytes) an? (` + things + `)`, "X per Y"},
}

// things are the nouns that follow "per" in rates.
const things = `batch|call|case|column|family|file|flag|folder|group|head|instruction set|kernel|label|layer|line|member|model|op|package|page|pass|` +
	`record|row|second|sequence|setting|shape|step|task|tensor|test|text|token|unit|verb|window|word`

// TestEnglish searches the comments and string literals of hand-written Go files, and the pages, for phrases that need a second reading.
func TestEnglish(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("no git to list the project's files")
	}
	out, err := exec.CommandContext(t.Context(), "git", "ls-files").Output()
	if err != nil {
		t.Skip("not a checkout")
	}
	var rules []*regexp.Regexp
	for _, p := range phrases {
		rules = append(rules, regexp.MustCompile(`(?i)\b(?:`+p.pattern+`)\b`))
	}
	check := func(place, text string) {
		for i, r := range rules {
			if found := r.FindString(text); found != "" {
				t.Errorf("%s: %q: write: %s", place, found, phrases[i].instead)
			}
		}
	}
	files := 0
	for _, name := range strings.Fields(string(out)) {
		if strings.Contains(name, "testdata/") || name == "english_test.go" {
			continue
		}
		text, err := os.ReadFile(filepath.FromSlash(name))
		if err != nil {
			continue // removed and not committed yet
		}
		switch filepath.Ext(name) {
		case ".go":
			checkGo(t, name, text, check)
		case ".md":
			checkPage(name, string(text), check)
		default:
			continue
		}
		files++
	}
	require.Greater(t, files, 500)
}

// checkGo checks the comments and string literals of a Go file, unless it is generated.
func checkGo(t *testing.T, name string, text []byte, check func(place, text string)) {
	set := token.NewFileSet()
	f, err := parser.ParseFile(set, name, text, parser.ParseComments|parser.SkipObjectResolution)
	require.NoError(t, err)
	if ast.IsGenerated(f) {
		return
	}
	for _, group := range f.Comments {
		for i, paragraph := range strings.Split(group.Text(), "\n\n") {
			line := set.Position(group.Pos()).Line
			if i > 0 {
				line += strings.Count(group.Text()[:strings.Index(group.Text(), paragraph)], "\n")
			}
			check(name+":"+strconv.Itoa(line), strings.Join(strings.Fields(paragraph), " "))
		}
	}
	if strings.HasSuffix(name, "_test.go") {
		return // string literals of tests are inputs
	}
	ast.Inspect(f, func(n ast.Node) bool {
		if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING {
			if s, err := strconv.Unquote(l.Value); err == nil && strings.Count(s, " ") > 1 {
				check(set.Position(l.Pos()).String(), strings.Join(strings.Fields(s), " "))
			}
		}
		return true
	})
}

// checkPage checks the paragraphs of a page, without its code.
func checkPage(name, text string, check func(place, text string)) {
	fence, line := false, 0
	for l := range strings.Lines(text) {
		line++
		if strings.HasPrefix(strings.TrimSpace(l), "```") {
			fence = !fence
			continue
		}
		if !fence {
			check(name+":"+strconv.Itoa(line), inline.ReplaceAllString(l, ""))
		}
	}
}

// inline matches code inside a line.
var inline = regexp.MustCompile("`[^`]*`")
