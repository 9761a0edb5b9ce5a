package compiler_test

import (
	"fmt"
	"math/rand/v2"
	"sort"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/ir/eval"
	"github.com/debertac/debertac/runtime/cpu"
	"github.com/debertac/debertac/spec"
	"github.com/debertac/debertac/spec/diag"
)

// small is a model of the v3 form; tests replace NAME and MORE.
const small = `dspec 1
model NAME like deberta_v3_base {
	tokenizer none
	dim vocab = 20; dim hidden = 32; dim heads = 2; dim inner = 8; dim layers = 2; dim span = 4; dim reach = 9; dim seq <= 16
	MORE
}
`

// smallModel returns small with a name and with further statements.
func smallModel(name, more string) string {
	return strings.NewReplacer("NAME", name, "MORE", more).Replace(small)
}

// resolved resolves a text and fails on any fault.
func resolved(t *testing.T, text string) *spec.Spec {
	t.Helper()
	f, faults := spec.Parse("test.dspec", []byte(text))
	require.Empty(t, faults)
	s, faults := spec.Resolve(f)
	require.Empty(t, faults)
	return s
}

// TestUnusualModels compiles models that random specs do not reach. It compares the oracle's result after all passes with the result before any pass.
func TestUnusualModels(t *testing.T) {
	for name, text := range map[string]string{
		"a head without weights":     smallModel("m", "") + "head c on m { take first }",
		"a head that ends in a norm": smallModel("m", "checkpoint own") + "head c on m { take first; norm }",
		"a head of one activation":   smallModel("m", "checkpoint own") + "head c on m { take first; act }",
		"a score of one number":      smallModel("m", "checkpoint own") + "head c on m { take first; linear 1 as score }",
		"queries that are keys":      smallModel("m", "checkpoint own; encoder.attention { score q[i]·q[j]; drop k, kr, qr }"),
		"values that are keys":       smallModel("m", "checkpoint own; encoder.attention { score q[i]·v[j]; drop k, kr, qr }"),
		"projections named like inputs": smallModel("m",
			"checkpoint own; encoder.attention { starts, pos, v = linear(x); score starts[i]·pos[j]; drop q, k, kr, qr }"),
		"a head named like a region": smallModel("m", "checkpoint own") + "head layer on m { take first; linear 3; act; linear 2 as labels(\"a\", \"b\") }",
		"one of everything": `dspec 1
			model m like deberta_v3_base {
				checkpoint own; tokenizer none; dim vocab = 1; dim hidden = 1; dim heads = 1; dim inner = 1; dim layers = 1; dim seq <= 1
				drop relative; encoder.attention { score q[i]·k[j]; drop kr, qr }
			}`,
		"calls of one token": smallModel("m", "") + "target t { batch <= 1 sequences; tokens <= 1; emit infer m }",
	} {
		t.Run(name, func(t *testing.T) {
			var want []float64
			for _, after := range []string{"build", ""} {
				p := compileTo(t, text, after)
				store := batchOf(rand.New(rand.NewPCG(1, 1)), p, 1)
				if p.Bounds.Tokens > 1 && p.Bounds.Length > 1 {
					store = batchOf(rand.New(rand.NewPCG(1, 1)), p, 1, 9, 2)
				}
				require.NoError(t, eval.Run(p, store, eval.From(shapesOf(p))))
				got := store[p.Outputs[0]].Floats()
				if after == "build" {
					want = got
					continue
				}
				require.InDeltaSlice(t, want, got, 1e-9)
			}
		})
	}
}

// TestProjectionsReadTheirTensors checks that in a published layout a projection's name decides which tensor it is, wherever the score uses it.
func TestProjectionsReadTheirTensors(t *testing.T) {
	p := compileTo(t, smallModel("m", "encoder.attention { score k[i]·q[j] }"), "build")
	for _, n := range p.Region("layer").Nodes {
		if n.Op == "score_cc" {
			require.Contains(t, n.In[0].Def.In[1].Name, "key_proj", "the left factor is k")
			require.Contains(t, n.In[1].Def.In[1].Name, "query_proj", "the right factor is q")
			return
		}
	}
	t.Fatal("the layer has no product of contents")
}

// TestPackageNames checks that names that Go would read as something else are changed, and that no two packages have one name.
func TestPackageNames(t *testing.T) {
	head := "head c on m { take first }\nhead d on m { take first }\n"
	for text, want := range map[string]string{
		smallModel("My_Model", ""): "mymodel",
		smallModel("func", ""):     "funcmodel",
		smallModel("len", ""):      "lenmodel",
		smallModel("string", ""):   "stringmodel",
		smallModel("main", ""):     "mainmodel",
		smallModel("init", ""):     "initmodel",
		smallModel("runtime", ""):  "runtimemodel",
		smallModel("vendor", ""):   "vendormodel",
		smallModel("_", ""):        "model",
		smallModel("_1", ""):       "model1",
		smallModel("m", "") + head: "mc md",
		smallModel("m", "") + head[:27] + "target t { emit infer m.c }":               "m",
		smallModel("m", "") + head[:27] + "target t { emit infer m; emit infer m.c }": "m mc",
		smallModel("m", "") + "target t { emit infer m as package \"len\" }":          "len",
	} {
		units, faults, err := compiler.Compile(resolved(t, text), compiler.Options{After: "build"})
		require.NoError(t, err)
		require.Empty(t, faults)
		var got []string
		for _, u := range units {
			got = append(got, u.Program.Name)
		}
		require.Equal(t, want, strings.Join(got, " "), text)
	}
}

// TestFaults checks the faults that only the compiler can find, each at its place.
func TestFaults(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{smallModel("a_b", "") + smallModel("ab", "")[8:], "test.dspec:7:1: a_b and ab would both be the package ab [twice]"},
		{smallModel("m", "") + "target t { emit infer m as package \"m_test\" }", "test.dspec:7:12: no program could import a package m_test [range]"},
		{smallModel("m", "") + "target t { emit infer m as package \"init\" }", "test.dspec:7:12: no program could import a package init [range]"},
		{smallModel("m", "checkpoint own; encoder.attention { q, out, v = linear(x); score q[i]·out[j]; drop k, kr, qr }"),
			"test.dspec:5:38: in the layout own, a tensor of every attention has the name out, so no projection can have it [checkpoint-scheme]"},
		{smallModel("m", "encoder.attention { score q[i]·k[j] + qr[i-j]·kr[i-j] }") + "target t { weights int8; emit infer m }",
			"test.dspec:7:12: weights int8 is checked by this version, but not compiled yet [not-yet]"},
	} {
		text, want := c.text, c.want
		s := resolved(t, text)
		units, faults, err := compiler.Compile(s, compiler.Options{})
		require.NoError(t, err)
		require.Len(t, faults, 1, text)
		require.Equal(t, want, faults[0].String())
		require.True(t, faults.HasErrors())
		if code := faults[0].Code; code == "not-yet" || code == "checkpoint-scheme" {
			require.Empty(t, units)
			early := compiler.NotYet(s)
			require.Len(t, early, 1)
			require.Equal(t, code == "not-yet", early[0].Severity == diag.Warning)
		}
	}
	_, faults, err := compiler.Compile(resolved(t, smallModel("m", "")), compiler.Options{Target: "t"})
	require.NoError(t, err)
	require.ErrorContains(t, faults.Err(), `no target is named "t"`)
	_, faults, err = compiler.Compile(resolved(t, smallModel("m", "")), compiler.Options{Emit: "m.c"})
	require.NoError(t, err)
	require.ErrorContains(t, faults.Err(), `emits nothing that is named "m.c"`)
}

// TestPlainGo checks that parts without assembly compile, and that checking reports that they run in plain Go.
func TestPlainGo(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{smallModel("m", "checkpoint own; encoder.attention { mix score }"),
			"test.dspec:5:38: warning: no kernel mixes heads: the attention runs in plain Go [portable]"},
		{strings.Replace(smallModel("m", ""), "hidden = 32; dim heads = 2", "hidden = 300; dim heads = 1", 1),
			"test.dspec:2:1: warning: a head of 300 columns is more than the 256 that kernels are made for: the attention runs in plain Go [portable]"},
		{strings.Replace(smallModel("m", ""), "hidden = 32; dim heads = 2", "hidden = 8388608; dim heads = 65536", 1),
			"test.dspec:2:1: warning: the rows of 65536 heads of 128 columns are longer than the 4194304 that kernels are made for: the attention runs in " +
				"plain Go [portable]"},
		{strings.NewReplacer("span = 4", "span = 1000000", "reach = 9", "reach = 2000000").Replace(smallModel("m", "")),
			"zoo/deberta_v3.dspec:23:5: warning: a table of 2000000 offsets is larger than the 1048576 that kernels are made for: the attention runs in " +
				"plain Go [portable]"},
		{strings.NewReplacer("span = 4", "span = 26", "reach = 9", "reach = 30", "seq <= 16", "seq <= 64").Replace(smallModel("m", "")),
			"zoo/deberta_v3.dspec:23:5: warning: some neighbouring offsets have buckets that lie apart, and kernels read neighbouring rows: the attention " +
				"runs in plain Go [portable]"},
	} {
		text, want := c.text, c.want
		early := compiler.NotYet(resolved(t, text))
		require.Len(t, early, 1, text)
		require.Equal(t, want, early[0].String())
		require.False(t, early.HasErrors())
		require.Empty(t, compiler.NotYet(resolved(t, text+"target t { isa go; emit infer m }")))
	}
}

// TestMemoryBound checks that a target whose largest call does not fit is refused, and that the message has the largest step and a number that fits.
func TestMemoryBound(t *testing.T) {
	text := func(bound string) string {
		return smallModel("m", "") + "target t { tokens <= 100_000; memory <= " + bound + "; emit infer m }"
	}
	_, faults, err := compiler.Compile(resolved(t, text("20 MiB")), compiler.Options{})
	require.NoError(t, err)
	require.Len(t, faults, 1)
	require.Equal(t, diag.Code("memory-bound"), faults[0].Code)
	require.Regexp(t, `m needs \d+\.\d MiB, 0\.1 MiB for weights and \d+\.\d MiB for calls of 100000 tokens: more than memory = 20\.0 MiB`, faults[0].Message)
	require.Len(t, faults[0].Notes, 1, "the largest step")
	require.Regexp(t, `^tokens <= \d+$`, faults[0].Hint)

	units, faults, err := compiler.Compile(resolved(t, strings.Replace(text("20 MiB"), "tokens <= 100_000", faults[0].Hint, 1)), compiler.Options{})
	require.NoError(t, err)
	require.Empty(t, faults, "what the hint says fits")
	require.Len(t, units, 1)

	_, faults, err = compiler.Compile(resolved(t, text("0.01 MiB")), compiler.Options{})
	require.NoError(t, err)
	require.Regexp(t, `^memory <= \d+ MiB$`, faults[0].Hint)
	units, faults, err = compiler.Compile(resolved(t, strings.Replace(text("0.01 MiB"), "memory <= 0.01 MiB", faults[0].Hint, 1)), compiler.Options{})
	require.NoError(t, err)
	require.Empty(t, faults)
	require.Len(t, units, 1)
}

// TestMemoryHint checks that the number of tokens in a hint is the largest that fits, for any bound and any rows that a head reads.
func TestMemoryHint(t *testing.T) {
	for _, head := range []string{"", "head h on m { take first; linear 5 as labels(\"a\", \"b\", \"c\", \"d\", \"e\") }",
		"head h on m { take each; linear 3 as labels(\"a\", \"b\", \"c\") }",
		"head h on m { take masked; linear hidden; act; norm; linear vocab tied embed.token }",
		`head h on m { take words(mean); linear 4; prompt labels mark "a" end "b"; spans <= 3 markers }`} {
		emitted := ""
		if head != "" {
			emitted = ".h"
		}
		faults := func(tokens, bound string) diag.List {
			target := "target t { " + tokens + "; memory <= " + bound + "; emit infer m" + emitted + " }"
			_, faults, err := compiler.Compile(resolved(t, smallModel("m", "checkpoint own")+head+target), compiler.Options{})
			require.NoError(t, err)
			return faults
		}
		for _, bound := range []string{"2 MiB", "2.5 MiB", "7 MiB", "20 MiB"} {
			refused := faults("tokens <= 100_000", bound)
			require.Len(t, refused, 1)
			number, ok := strings.CutPrefix(refused[0].Hint, "tokens <= ")
			require.True(t, ok, "%s %s: %s", head, bound, refused[0].Hint)
			tokens, err := strconv.Atoi(number)
			require.NoError(t, err)
			require.Empty(t, faults(fmt.Sprintf("tokens <= %d", tokens), bound), "%s %s: the hint fits", head, bound)
			require.Len(t, faults(fmt.Sprintf("tokens <= %d", tokens+1), bound), 1, "%s %s: %d tokens fit, and one more does not", head, bound, tokens)
		}
		// The memory is a whole number of floats, so the smallest bound that fits is a multiple of 4 bytes.
		for _, tokens := range []string{"tokens <= 16", "tokens <= 500"} {
			bytes := func(n int) string { return fmt.Sprintf("%.20f MiB", float64(n)/(1<<20)) }
			least := sort.Search(20<<20, func(n int) bool { return len(faults(tokens, bytes(n))) == 0 })
			require.Zero(t, least%4, "%s: %d bytes", head, least)
			require.Equal(t, tokens, faults("tokens <= 100_000", bytes(least))[0].Hint)
		}
	}
}

// TestInstructionSets checks that an instruction set without kernels is a warning, and that it uses the float32 kernels of the one that it extends.
func TestInstructionSets(t *testing.T) {
	for _, c := range []struct{ list, want, without, used string }{
		{"avx512vnni, avx2, go", "avx512 avx2 go", "avx512vnni", "avx512"},
		{"avx512vnni, avx512, avx2, go", "avx512 avx2 go", "avx512vnni", "avx512"},
		{"avx512, avxvnni, go", "avx512 avx2 go", "avxvnni", "avx2"},
	} {
		units, faults, err := compiler.Compile(resolved(t, smallModel("m", "")+"target t { isa "+c.list+"; emit infer m }"), compiler.Options{After: "build"})
		require.NoError(t, err)
		require.Len(t, faults, 1)
		require.Equal(t, "test.dspec:7:1: warning: this version has no kernels for "+c.without+": those of "+c.used+" are used [isa-missing]",
			faults[0].String())
		require.Len(t, units, 1)
		require.Equal(t, c.want, strings.Join(units[0].Program.Meta.ISAs, " "))
	}
}

// TestSetsOfPrecision checks that kernels for products of bf16 are made for the trainings that compute in bf16, and for nothing else. A target that lists no
// sets has them, and one that lists sets has them if they are in the list.
func TestSetsOfPrecision(t *testing.T) {
	for _, c := range []struct{ isa, precision, want string }{
		{"", "f32", "avx512 avx2 go"},
		{"", "bf16", "avx512bf16 avx512 avx2 go"},
		{"isa avx512, avx2, go; ", "bf16", "avx512 avx2 go"},
		{"isa avx512bf16, go; ", "bf16", "avx512bf16 avx512 go"},
		{"isa avx512bf16, avx512, avx2, go; ", "bf16", "avx512bf16 avx512 avx2 go"},
	} {
		text := smallModel("m", "checkpoint own") + `head h on m { take first; linear 2 as labels("a", "b"); loss cross_entropy }
train tr on m.h { batch 2 sequences; length 5 tokens; steps 3 steps; optimizer adamw; rate 1e-3; precision ` + c.precision + ` }
target t { ` + c.isa + `emit infer m.h; emit train tr }
`
		units, faults, err := compiler.Compile(resolved(t, text), compiler.Options{After: "build"})
		require.NoError(t, err)
		require.Empty(t, faults)
		require.Len(t, units, 2)
		require.NotContains(t, units[0].Program.Meta.ISAs, "avx512bf16")
		require.Equal(t, c.want, strings.Join(units[1].Program.Meta.ISAs, " "), c.isa)
	}
	units, faults, err := compiler.Compile(resolved(t, smallModel("m", "")+"target t { isa avx512bf16, avx2, go; emit infer m }"),
		compiler.Options{After: "build"})
	require.NoError(t, err)
	require.Len(t, faults, 1)
	require.Equal(t, "test.dspec:7:1: warning: no line of this target computes in bf16: for avx512bf16, the kernels of avx512 are used [isa-missing]",
		faults[0].String())
	require.Equal(t, "avx512 avx2 go", strings.Join(units[0].Program.Meta.ISAs, " "))
}

// TestSigmoids checks that the labels of losses that judge each label by itself are several of which may hold.
func TestSigmoids(t *testing.T) {
	for loss, want := range map[string]bool{"cross_entropy": false, "binary_cross_entropy": true, "focal(gamma: 1)": true} {
		text := smallModel("m", "") + `head h on m { take first; linear hidden; act; linear 2 as labels("a", "b"); loss ` + loss + " }"
		units, faults, err := compiler.Compile(resolved(t, text), compiler.Options{After: "build"})
		require.NoError(t, err)
		require.Empty(t, faults)
		require.Equal(t, want, units[0].Program.Meta.Multi, loss)
	}
}

// TestInstructionSetsOfTheRuntime checks that the language and the runtime know the same instruction sets and prefer them in the same order.
func TestInstructionSetsOfTheRuntime(t *testing.T) {
	last := cpu.ISA(255)
	for _, name := range spec.ISAs {
		isa, err := cpu.ParseISA(name)
		require.NoError(t, err)
		require.Less(t, isa, last, name)
		last = isa
	}
	require.Equal(t, cpu.ISAGo, last)
}
