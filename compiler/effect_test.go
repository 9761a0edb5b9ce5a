package compiler_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/spec"
	"github.com/debertac/debertac/spec/diag"
	"github.com/debertac/debertac/spec/spectest"
	"github.com/debertac/debertac/spec/zoo"
)

// TestMain makes garbage collection rare: the tests allocate much and keep little, and collection took a third of their processor time.
func TestMain(m *testing.M) {
	debug.SetGCPercent(400)
	m.Run()
}

// unseen lists the words of models, heads and ensembles that change no program, and why they still have an effect. The resolved spec must show their change
// instead.
var unseen = map[string]string{
	"defaults.dropout": "training draws by it",
	"defaults.init":    "training starts from it",
	"head.dropout":     "training draws by it",
	"head.loss":        "training minimises it",
	"embed.token":      "pad: training gives its row no gradient",
	"train.*":          "training is not compiled yet",
	"sift.*":           "the test compiles no trainings",
	"target.weights":   "bf16 and int8 are not compiled yet",
	"target.emit":      "the test emits everything",
	"target.isa":       "the test names no instruction set",
	"target.memory":    "it is held to the arena, which the last pass plans",
}

// ineffective lists changes that have no visible effect, and why the language allows them.
var ineffective = map[string]string{
	"*.drop": "drop of a copied projection that the new score does not read does what would happen anyway; the papers' t5_bias is written in this way",
}

// other holds values for each word that differ from the value in most specs. They are for statements that repeat a default.
var other = map[string][]string{
	"model.checkpoint": {"checkpoint own", "checkpoint hf.bert"}, "model.tokenizer": {"tokenizer wordpiece", "tokenizer none"},
	"defaults.norm": {"norm layernorm(eps: 0.125)"}, "defaults.act": {"act relu", "act tanh"}, "defaults.dropout": {"dropout 0.375"},
	"defaults.init": {"init normal(std: 0.375)"},
	"embed.token":   {"token 999 pad 1"}, "embed.width": {"width 5"}, "embed.norm": {"norm layernorm(eps: 0.125)"}, "embed.absolute": {"absolute 1023"},
	"embed.segment":   {"segment 9"},
	"relative.bucket": {"bucket clamp", "bucket log(exact: 2, reach: 900)"}, "relative.norm": {"norm layernorm(eps: 0.125)"},
	"relative.offsets": {"offsets -3 .. 2"},
	"absolute.rows":    {"rows 1023"}, "absolute.from": {"from 0", "from 2"},
	"attention.mask": {"mask j <= i", "mask j"}, "attention.scale": {"scale 0.375"}, "attention.score": {"score q[i]·k[j]"},
	"attention.=": {"q, k, v = linear(x, bias: no)", "kr, qr = linear(rel)", "z = linear(x)"},
	"encoder.ffn": {"ffn 17"}, "conv.kernel": {"kernel 7"}, "conv.groups": {"groups 1", "groups 2"}, "conv.act": {"act relu", "act silu"},
	"conv.beside":    {"beside layer 1", "beside layer 2"},
	"decoder.repeat": {"repeat 5 of encoder.last"}, "decoder.query": {"query encoder[-1]", "query encoder[-2]"},
	"decoder.memory": {"memory encoder[-1]", "memory encoder[-2]"},
	"head.act":       {"act relu", "act silu"}, "head.norm": {"norm layernorm(eps: 0.125)"}, "head.loss": {"loss binary_cross_entropy", "loss cross_entropy"},
	"head.dropout": {"dropout 0.375"}, "ensemble.mean": {"mean logits", "mean probabilities"},
	"train.precision": {"precision bf16"}, "train.mask": {"mask 77 %"}, "train.length": {"length 3 tokens"}, "train.weight": {"weight 77"},
	"train.rate":      {"rate 0.125"},
	"train.optimizer": {"optimizer adamw(eps: 0.125)"}, "train.lookahead": {"lookahead 3 steps mix 0.125"},
	"train.smooth": {"smooth 0.375"}, "train.negatives": {"negatives 77 from batch"}, "train.weigh": {"weigh labels 7 7 7", "weigh labels 7 7"},
	"train.updates": {"updates apart", "updates together"},
	"train.freeze":  {"freeze encoder[2]"}, "train.lora": {"lora k rank 2"},
	"sift.perturb": {"perturb embed"}, "sift.noise": {"noise 77"}, "sift.step": {"step 77"}, "sift.ascend": {"ascend 77"}, "sift.loss": {"loss kl"},
	"sift.weight": {"weight 77"},
	"target.isa":  {"isa go"}, "target.weights": {"weights bf16"}, "target.batch": {"batch <= 3 sequences"}, "target.tokens": {"tokens <= 77"},
	"target.threads": {"threads <= 77"},
	"target.memory":  {"memory <= 1 MiB"}, "target.agree": {"agree 0.125 with reference"},
}

// effects is the meaning of a spec: the programs of everything in it, without positions, and the resolved spec.
type effects struct{ programs, dump string }

// dims matches the lines that are left out of the dump: a size has an effect only through what reads it.
var dims = regexp.MustCompile(`(?m)^    (dims|parameters) .*$`)

// effectsOf compiles every head, model and ensemble, and returns the faults if the spec is refused.
func effectsOf(name string, text string) (out effects, faults diag.List) {
	s, faults := spec.ParseAndResolve(name, []byte(text))
	if s == nil {
		return effects{}, faults
	}
	out.dump = dims.ReplaceAllString(spec.Dump(s), "")
	for _, t := range s.Targets {
		t := *t
		t.Weights, t.Emit, t.ISA = spec.Weights{Kind: "f32"}, nil, []string{"go"}
		pkg := func() string { return fmt.Sprintf("p%d", len(t.Emit)) }
		for _, m := range s.Models {
			t.Emit = append(t.Emit, spec.Emit{Model: m, Package: pkg()})
		}
		for _, h := range s.Heads {
			t.Emit = append(t.Emit, spec.Emit{Head: h, Package: pkg()})
		}
		for _, e := range s.Ensembles {
			t.Emit = append(t.Emit, spec.Emit{Ensemble: e, Package: pkg()})
		}
		one := *s
		one.Targets = []*spec.Target{&t}
		units, faults, err := compiler.Compile(&one, compiler.Options{After: "build"})
		if err != nil {
			return effects{}, diag.List{diag.Errorf("", diag.Span{}, "%v", err)}
		}
		for _, d := range faults {
			out.programs += d.Message + "\n"
		}
		for _, u := range units {
			p := u.Program
			p.Meta.SpecHash = ""
			for _, r := range p.Regions {
				r.Pos = diag.Span{}
				for _, n := range r.Nodes {
					n.Pos, n.Note = diag.Span{}, ""
				}
			}
			out.programs += ir.Print(p)
		}
	}
	return out, nil
}

// samples returns specs without faults: those of the language's tests, the zoo, the examples, and random ones.
func samples(t *testing.T) map[string]string {
	out := map[string]string{}
	for _, glob := range []string{"../spec/testdata/good/*.txtar", "../examples/*/*.dspec", "../bench/*.dspec"} {
		files, err := filepath.Glob(glob)
		require.NoError(t, err)
		require.NotEmpty(t, files, glob)
		for _, f := range files {
			text, err := os.ReadFile(f)
			require.NoError(t, err)
			if filepath.Ext(f) == ".dspec" {
				out[f] = string(text)
				continue
			}
			for _, part := range txtar.Parse(text).Files {
				if filepath.Ext(part.Name) == ".dspec" {
					out[f+"/"+part.Name] = string(part.Data)
				}
			}
		}
	}
	for _, name := range zoo.Files() {
		out[name] = string(zoo.Text(name))
	}
	for i := range draws(t) {
		if testing.Short() && i > 0 {
			break
		}
		out[fmt.Sprintf("drawn %d", i)], _ = spectest.Random(rand.New(rand.NewPCG(11, uint64(i))))
	}
	return out
}

// leaf is a statement without a block, and the block that contains it.
type leaf struct {
	block string
	*spec.Stmt
}

// leaves returns the statements inside the blocks of a file.
func leaves(block string, list []*spec.Stmt) (out []leaf) {
	for _, s := range list {
		in := block
		for _, p := range s.Path {
			in, _, _ = strings.Cut(p, " ")
		}
		switch {
		case s.Comment != "":
		case s.Block != nil:
			out = append(out, leaves(s.Word, s.Block.Stmts)...)
		case block != "":
			out = append(out, leaf{in, s})
		}
	}
	return out
}

// with returns the text with a statement replaced. ok is false if the statement has several lines.
func with(text string, s *spec.Stmt, replacement string) (string, bool) {
	lines := strings.Split(text, "\n")
	line := []rune(lines[s.Pos.Line-1])
	if s.Pos.EndCol-1 > len(line) {
		return "", false
	}
	rest := strings.TrimSpace(string(line[s.Pos.EndCol-1:]))
	if strings.HasSuffix(rest, "+") || strings.HasSuffix(strings.TrimSpace(string(line[:s.Pos.EndCol-1])), "+") {
		return "", false
	}
	lines[s.Pos.Line-1] = string(line[:s.Pos.Col-1]) + replacement + string(line[s.Pos.EndCol-1:])
	return strings.Join(lines, "\n"), true
}

// TestEveryStatementHasAnEffect checks that every statement of the sample specs has an effect: without it, or with another value, the programs differ or the
// spec is refused. The tables above list the exceptions, each with its reason.
func TestEveryStatementHasAnEffect(t *testing.T) {
	tried, step, least := 0, 1, 500
	if testing.Short() {
		step, least = 7, 60
	}
	for name, text := range samples(t) {
		base, faults := effectsOf(name, text)
		require.Empty(t, faults.Err(), name)
		tree, _ := spec.Parse(name, []byte(text))
		for n, s := range leaves("", tree.Stmts) {
			if n%step != 0 {
				continue
			}
			key := s.block + "." + s.Word
			_, inDump := unseen[key]
			if _, ok := unseen[s.block+".*"]; ok {
				inDump = true
			}
			replacements := append([]string{""}, other[key]...)
			if form := strings.Fields(string([]rune(strings.Split(text, "\n")[s.Pos.Line-1])[s.Pos.Col-1:])); s.Word == "dim" && len(form) > 2 {
				replacements = append(replacements, "dim "+s.Name+" "+form[2]+" 35", "dim "+s.Name+" "+form[2]+" 24")
			}
			seen := false
			for _, r := range replacements {
				changed, ok := with(text, s.Stmt, r)
				if !ok {
					seen = true // a score of several lines; other samples have its one-line forms
					break
				}
				tried++
				got, faults := effectsOf(name, changed)
				if seen = faults.HasErrors() || got.programs != base.programs || inDump && got.dump != base.dump; seen {
					break
				}
			}
			if _, ok := ineffective["*."+s.Word]; !seen && !ok {
				t.Errorf("%s:%d: %s in %s has no effect: %s", name, s.Pos.Line, s.Word, s.block, strings.TrimSpace(strings.Split(text, "\n")[s.Pos.Line-1]))
			}
		}
	}
	t.Logf("%d changes", tried)
	require.Greater(t, tried, least)
}
