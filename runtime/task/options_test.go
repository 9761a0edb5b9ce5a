package task

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"math"
	"path/filepath"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/tasktable"
)

// plainNumbers holds the numbers that calls take outside of options.
type plainNumbers struct {
	Masked struct {
		Share float64
		Seed  uint64
	}
	Detect         struct{ Threshold float64 }
	DecodeEntities struct{ Widths int }
}

// settings is a call with its options. call reads the value that options points to. label is a name
// that maps of the options may have as a key.
type settings struct {
	options any
	label   string
	call    func(ctx context.Context) error
}

// allSettings returns the calls of this package that take numbers.
func allSettings(t *testing.T) []settings {
	var list []settings
	add := func(options any, label string, call func(ctx context.Context) error) {
		list = append(list, settings{options, label, call})
	}
	answer := &AnswerOptions{NoAnswer: true}
	answerer := newAnswerer(t, spanHead(func(ids []int32, row, side int) float64 { return noise(int(ids[row]), row, side) }),
		runtime.Long(runtime.Windows(2)), runtime.MaxTokens(12))
	add(answer, "", func(ctx context.Context) error {
		_, err := answerer.Answer(ctx, []Question{{"who", strings.Repeat("a b c ", 20)}}, *answer)
		return err
	})
	tag := &TagOptions{}
	tagger := newTagger(t, tagsByPiece(bioLabels, nil))
	add(tag, "PER", func(ctx context.Context) error {
		_, err := tagger.Tag(ctx, []string{"a b"}, *tag)
		return err
	})
	fill := &FillOptions{}
	filler := newFiller(t, engine.PerRow)
	add(fill, "", func(ctx context.Context) error {
		_, err := filler.Fill(ctx, []string{"a [MASK]"}, *fill)
		return err
	})
	generate := &GenerateOptions{Temperature: 1, Samples: 3, TopK: 4, TopP: 0.9, MaxNew: 5}
	generator, err := NewGenerator(keeps(engine.PerRow, false, logit, new(atomic.Int64)).open(t), "")
	require.NoError(t, err)
	add(generate, "", func(ctx context.Context) error {
		_, err := generator.Generate(ctx, []runtime.Text{{First: "paris"}, {First: "a b"}}, *generate)
		return err
	})
	entity := &EntityOptions{}
	x := extractor(t, 2)
	add(entity, "a", func(ctx context.Context) error {
		_, err := x.Entities(ctx, []string{"one two"}, []string{"a", "b"}, *entity)
		return err
	})
	match, likeness := &MatchOptions{}, &BERTScoreOptions{}
	add(match, "", matchCall(t, match))
	add(likeness, "", likenessCall(t, likeness))
	embed, rank := &EmbedOptions{}, &RankOptions{}
	embedder, err := NewEmbedder(fake{heads: []engine.Head{{Name: "v", Task: tasktable.Vector, C: 2}}, forward: perSequence(2, number)}.open(t), "")
	require.NoError(t, err)
	add(embed, "", func(ctx context.Context) error {
		_, err := embedder.Embed(ctx, []string{"a"}, *embed)
		return err
	})
	ranker, err := NewRanker(relevance(engine.Head{Name: "score", Task: tasktable.Score, C: 1}, nliLogit).open(t), "")
	require.NoError(t, err)
	add(rank, "", func(ctx context.Context) error {
		_, err := ranker.Rank(ctx, "paris", documents, *rank)
		return err
	})
	zero := &ZeroShotOptions{}
	z, err := NewZeroShot(nli(nliLabels, nliLogit).open(t), "", NLIOptions{})
	require.NoError(t, err)
	add(zero, "", func(ctx context.Context) error {
		_, err := z.Classify(ctx, []string{"a"}, []string{"one", "rome"}, *zero)
		return err
	})
	add(&NLIOptions{}, "", func(context.Context) error { return nil }) // only names
	numbers := &plainNumbers{}
	detector, err := NewDetector(fake{heads: []engine.Head{{Name: "rtd", Task: tasktable.Replaced, Rows: engine.PerToken, C: 1}},
		forward: perRow(1, func(ids []int32, row, _ int) float64 { return noise(int(ids[row])) })}.open(t), "")
	require.NoError(t, err)
	add(&numbers.Detect, "", func(ctx context.Context) error {
		_, err := detector.Detect(ctx, []string{"a b"}, numbers.Detect.Threshold)
		return err
	})
	numbers.Masked.Share = 0.5
	add(&numbers.Masked, "", maskingCall(t, numbers))
	add(&numbers.DecodeEntities, "", func(context.Context) error {
		if _, err := DecodeEntities("a b", []string{"x", "y"}, nil, numbers.DecodeEntities.Widths, EntityOptions{}); !errors.Is(err, runtime.ErrInput) {
			return fmt.Errorf("no scores for two words: %w", err)
		}
		_, err := DecodeEntities("", []string{"x", "y"}, nil, numbers.DecodeEntities.Widths, EntityOptions{})
		return err
	})
	return list
}

// matchCall returns a call of Match with its options.
func matchCall(t *testing.T, o *MatchOptions) func(context.Context) error {
	m := matcher(t, engine.Prompt{})
	return func(ctx context.Context) error {
		_, err := m.Match(ctx, []string{"one two"}, []string{"a", "b"}, *o)
		return err
	}
}

// maskingCall returns a call of Masked with its numbers.
func maskingCall(t *testing.T, numbers *plainNumbers) func(context.Context) error {
	m := newPerplexer(t, engine.PerRow, false, false)
	return func(ctx context.Context) error {
		_, err := m.Masked(ctx, singles([]string{"a b", ""}), numbers.Masked.Share, numbers.Masked.Seed)
		return err
	}
}

// drawn returns the values that a field is set to: the largest, the smallest, and values around
// zero.
func drawn(kind reflect.Type, label string) (list []reflect.Value) {
	switch kind.Kind() {
	case reflect.Int:
		for _, n := range []int{math.MinInt, math.MinInt32, -1, 0, 1, 2, 1000, math.MaxInt32, math.MaxInt/4 + 1, math.MaxInt - 1, math.MaxInt} {
			list = append(list, reflect.ValueOf(n))
		}
	case reflect.Uint64:
		for _, n := range []uint64{0, 1, math.MaxInt64, math.MaxUint64} {
			list = append(list, reflect.ValueOf(n))
		}
	case reflect.Float64:
		for _, x := range []float64{math.NaN(), math.Inf(-1), -math.MaxFloat64, -1, -math.SmallestNonzeroFloat64, math.Copysign(0, -1), 0,
			math.SmallestNonzeroFloat64, 0.5, 1, 2, math.MaxFloat64, math.Inf(1)} {
			list = append(list, reflect.ValueOf(x))
		}
	case reflect.Pointer:
		for _, x := range drawn(kind.Elem(), label) {
			p := reflect.New(kind.Elem())
			p.Elem().Set(x)
			list = append(list, p)
		}
	case reflect.Struct:
		for i := range kind.NumField() {
			if !kind.Field(i).IsExported() {
				continue
			}
			for _, x := range drawn(kind.Field(i).Type, label) {
				v := reflect.New(kind).Elem()
				v.Field(i).Set(x)
				list = append(list, v)
			}
		}
	case reflect.Map:
		for _, key := range []string{label, "no label"} {
			for _, x := range drawn(kind.Elem(), label) {
				m := reflect.MakeMap(kind)
				m.SetMapIndex(reflect.ValueOf(key), x)
				list = append(list, m)
			}
		}
	case reflect.String, reflect.Bool, reflect.Slice, reflect.Func:
	default:
		panic("no values are drawn for " + kind.String())
	}
	return list
}

// TestNumbers sets every number of every options struct to extreme values. Each call must return a
// result, or an ErrInput that names the field, within a bounded time.
func TestNumbers(t *testing.T) {
	fields := 0
	for _, s := range allSettings(t) {
		options := reflect.ValueOf(s.options).Elem()
		usual := reflect.New(options.Type()).Elem()
		usual.Set(options)
		for i := range options.NumField() {
			field := options.Type().Field(i)
			values := drawn(field.Type, s.label)
			if len(values) > 0 {
				fields++
			}
			refused := 0
			for _, v := range values {
				options.Set(usual)
				options.Field(i).Set(v)
				ctx, cancel := context.WithTimeout(background, time.Minute)
				err := func() (err error) {
					defer func() {
						if v := recover(); v != nil {
							err = fmt.Errorf("panic: %v", v)
						}
					}()
					return s.call(ctx)
				}()
				cancel()
				if err != nil {
					refused++
					require.ErrorIs(t, err, runtime.ErrInput, "%s.%s = %v", options.Type(), field.Name, v)
					require.Contains(t, strings.ToLower(err.Error()), strings.ToLower(field.Name), "%s.%s = %v: the message names the field", options.Type(),
						field.Name, v)
				}
			}
			require.Less(t, refused, max(1, len(values)), "%s.%s: nothing is right", options.Type(), field.Name)
		}
	}
	require.Equal(t, 22, fields, "fields with numbers")
}

// TestNumbersAreAll checks that TestNumbers covers every options struct of this package and every
// other exported call that takes a number.
func TestNumbersAreAll(t *testing.T) {
	known := map[string]bool{}
	for _, s := range allSettings(t) {
		known[reflect.TypeOf(s.options).Elem().Name()] = true
	}
	plain := reflect.TypeFor[plainNumbers]()
	for i := range plain.NumField() {
		known[plain.Field(i).Name] = true
	}
	sources, err := filepath.Glob("*.go")
	require.NoError(t, err)
	found := 0
	look := func(n ast.Node) bool {
		switch d := n.(type) {
		case *ast.TypeSpec:
			if _, ok := d.Type.(*ast.StructType); ok && d.Name.IsExported() && strings.HasSuffix(d.Name.Name, "Options") {
				found++
				require.True(t, known[d.Name.Name], "%s is not drawn", d.Name.Name)
			}
		case *ast.FuncDecl:
			if !d.Name.IsExported() || ofUnexported(d) {
				return false
			}
			for _, p := range d.Type.Params.List {
				if id, ok := p.Type.(*ast.Ident); ok && strings.Contains("int int32 int64 uint64 float32 float64", id.Name) {
					found++
					require.True(t, known[d.Name.Name], "%s takes a number and is not drawn", d.Name.Name)
				}
			}
			return false
		}
		return true
	}
	for _, name := range sources {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		require.NoError(t, err)
		ast.Inspect(f, look)
	}
	require.GreaterOrEqual(t, found, 11)
}

// ofUnexported reports whether a function is a method of a type that callers cannot name.
func ofUnexported(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return false
	}
	of := d.Recv.List[0].Type
	if p, ok := of.(*ast.StarExpr); ok {
		of = p.X
	}
	id, ok := of.(*ast.Ident)
	return ok && !id.IsExported()
}

// TestAllAnswers checks that a number larger than the number of answers stands for all of them.
func TestAllAnswers(t *testing.T) {
	a := newAnswerer(t, spanHead(func(ids []int32, row, side int) float64 { return noise(int(ids[row]), row, side) }))
	all, err := a.Answer(background, []Question{{"who", "a b c d"}}, AnswerOptions{Best: 1000, MaxTokens: 1000})
	require.NoError(t, err)
	require.Len(t, all[0].Answers, 10, "every part of four words")
	for _, o := range []AnswerOptions{{Best: math.MaxInt, MaxTokens: math.MaxInt}, {Best: math.MaxInt/4 + 1, MaxTokens: 4}} {
		got, err := a.Answer(background, []Question{{"who", "a b c d"}}, o)
		require.NoError(t, err)
		require.Equal(t, all, got)
	}
}

// TestBestOfMany checks that candidates sorted at once are the same as candidates kept one by one.
func TestBestOfMany(t *testing.T) {
	logits := make([]float32, 5000)
	for i := range logits {
		logits[i] = float32(math.Round(20 * noise(i))) // with many ties
	}
	use := func(id int32) bool { return id%7 != 0 }
	for _, use := range []func(int32) bool{nil, use} {
		few := best(logits, manyBest, use)
		require.Equal(t, few, best(logits, manyBest+1, use)[:manyBest])
		require.Equal(t, few, best(logits, math.MaxInt, use)[:manyBest])
		require.GreaterOrEqual(t, len(best(logits, math.MaxInt, use)), 4285)
	}
}

// TestSamplesBound checks that more samples than a call allows are refused before memory is
// allocated.
func TestSamplesBound(t *testing.T) {
	g := newGenerator(t, engine.PerRow, false, logit)
	prompts := make([]runtime.Text, 3)
	_, err := g.Generate(background, prompts, GenerateOptions{Samples: MaxResults/3 + 1, MaxNew: 1})
	require.ErrorIs(t, err, runtime.ErrInput)
	require.ErrorContains(t, err, "Samples is 349526 for 3 prompts: a call returns at most 1048576 texts")
	var text *runtime.TextError
	require.False(t, errors.As(err, &text))
}
