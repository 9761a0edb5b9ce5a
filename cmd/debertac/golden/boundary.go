package golden

import (
	"fmt"
	"slices"
	"strings"

	"github.com/debertac/debertac/runtime/extraction"
	"github.com/debertac/debertac/runtime/ragged"
	"github.com/debertac/debertac/runtime/safetensors"
	"github.com/debertac/debertac/runtime/tasktable"
)

// KindBoundary is for texts with schemas, for models that score boundaries.
const KindBoundary = "gliner2_boundary"

// boundaryNumbers are the outputs for a text, by their names, and its place in a batch of its own.
type boundaryNumbers struct {
	parts map[string][]float32
	place ragged.SpanPlace
	rows  []int // candidates that are spans
}

// boundaryParts lists the outputs, in their order, and the number of numbers per text.
var boundaryParts = []struct {
	name string
	size func(s *ragged.Sequence, p ragged.SpanPlace) int
}{
	{tasktable.ClassOutput, func(s *ragged.Sequence, _ ragged.SpanPlace) int { return len(s.Marks) }},
	{tasktable.BoundOutput, func(_ *ragged.Sequence, p ragged.SpanPlace) int {
		return p.Queries * (p.Words + 1) * tasktable.BoundColumns
	}},
	{tasktable.PoolOutput, func(_ *ragged.Sequence, p ragged.SpanPlace) int { return 2 * p.Candidates }},
	{tasktable.PairOutput, func(_ *ragged.Sequence, p ragged.SpanPlace) int { return p.Queries * p.Candidates }},
	{tasktable.AbsentOutput, func(_ *ragged.Sequence, p ragged.SpanPlace) int { return p.Queries }},
}

// boundaryNumbers returns the numbers of each text from the passes that pick selects.
func (k *comparison) boundaryNumbers(pick func(p Pass) bool) ([]boundaryNumbers, error) {
	numbers := make([]boundaryNumbers, len(k.Extracts))
	for _, p := range textPasses(len(k.Extracts)) {
		f := k.files[p.Name]
		if f == nil || !pick(p) {
			continue
		}
		from, to := textsOf(p, len(k.Extracts))
		for i := from; i < to; i++ {
			numbers[i].parts = map[string][]float32{}
		}
		for _, part := range boundaryParts {
			tensor := "output." + part.name
			info, err := f.Info(tensor)
			if err != nil && part.name == tasktable.AbsentOutput {
				continue // the model has no such output
			}
			if err != nil {
				return nil, err
			}
			all := make([]float32, info.Elements())
			if err := f.Floats(tensor, all); err != nil {
				return nil, err
			}
			for i := from; i < to; i++ {
				s := k.Extracts[i].sequence(k.produced.Steps)
				words, queries := len(s.Words)/2, len(s.Queries)
				place := ragged.SpanPlace{Words: words, Queries: queries, Candidates: ragged.MostCandidates(words, k.produced.Candidates)}
				n := part.size(s, place)
				if n > len(all) {
					return nil, fmt.Errorf("%s of pass %s has %d numbers left for text %d, want %d", tensor, p.Name, len(all), i, n)
				}
				numbers[i].parts[part.name], numbers[i].place = all[:n], place
				all = all[n:]
			}
		}
	}
	for i := range numbers {
		n := &numbers[i]
		pool := n.parts[tasktable.PoolOutput]
		for c := range n.place.Candidates {
			if pool[2*c] < pool[2*c+1] {
				n.rows = append(n.rows, c)
			}
		}
	}
	return numbers, nil
}

// compareBoundaries compares the numbers of all texts with the recorded ones. It also compares the numbers of each text alone with those of the text among
// others, which must be the same.
func (k *comparison) compareBoundaries(want *safetensors.File) ([]Result, error) {
	together, err := k.boundaryNumbers(func(p Pass) bool { return p.Name[0] == 't' })
	if err != nil {
		return nil, err
	}
	alone, err := k.boundaryNumbers(func(p Pass) bool { return p.Name[0] == 'a' })
	if err != nil {
		return nil, err
	}
	var results []Result
	for i := range k.Extracts {
		list, err := k.compareBoundary(want, &k.Extracts[i], &together[i])
		if err != nil {
			return nil, err
		}
		same := Result{Tensor: fmt.Sprintf("alone.%d", i), Group: "logits", OK: true}
		for _, part := range boundaryParts {
			a, b := alone[i].parts[part.name], together[i].parts[part.name]
			same.Compared += len(a)
			same.OK = same.OK && slices.Equal(a, b)
		}
		if !same.OK {
			same.Reason = "alone the text has other numbers than among others"
		}
		results = append(append(results, list...), same)
		x := &k.Extracts[i]
		if x.read == nil {
			continue // the model has no tokenizer
		}
		input := x.compareInputs(i)
		if results = append(results, input); !input.OK {
			continue
		}
		n := decodedBoundaries{&together[i], x.read}
		found, err := k.compareResults(x, i, func(o *extraction.Options) *extraction.Result {
			return extraction.DecodeBoundaries(x.schema, x.read, n, k.produced.Boundary, o)
		})
		if err != nil {
			return nil, err
		}
		results = append(results, found)
	}
	return results, nil
}

// decodedBoundaries are the numbers of a text as the decoder reads them.
type decodedBoundaries struct {
	*boundaryNumbers
	in *extraction.Input
}

// query returns the query of a marker: the number of entities' markers before it.
func (n decodedBoundaries) query(mark int) (q int) {
	for _, m := range n.in.Marks[:mark] {
		if m.Kind == extraction.MarkEntity {
			q++
		}
	}
	return q
}

func (n decodedBoundaries) Class(mark int) float32 { return n.parts[tasktable.ClassOutput][mark] }

func (n decodedBoundaries) Pool() (list []extraction.Boundary) {
	pool := n.parts[tasktable.PoolOutput]
	for _, i := range n.rows {
		list = append(list, extraction.Boundary{Start: int32(pool[2*i]), End: int32(pool[2*i+1])})
	}
	return list
}

func (n decodedBoundaries) Pair(mark int) (list []float32) {
	for _, i := range n.rows {
		list = append(list, n.parts[tasktable.PairOutput][n.query(mark)*n.place.Candidates+i])
	}
	return list
}

func (n decodedBoundaries) Null(mark int) float32 {
	return n.parts[tasktable.AbsentOutput][n.query(mark)]
}

// compareBoundary compares the numbers of a text: its classes, and for all fields the boundaries, the chosen spans and their scores.
func (k *comparison) compareBoundary(want *safetensors.File, x *Extract, n *boundaryNumbers) ([]Result, error) {
	var results []Result
	compare := func(tensor, group string, read func(index []int) (float32, bool)) error {
		r, err := k.extracted(want, tensor, group, read)
		results = append(results, r)
		return err
	}
	mark := 0
	for i := range x.Tasks {
		t := &x.Tasks[i]
		first := mark + 1
		mark += len(t.Labels) + 1
		if t.Type != taskClasses {
			continue
		}
		err := compare(t.Logits, "logits", func(index []int) (float32, bool) { return n.parts[tasktable.ClassOutput][first+index[0]], false })
		if err != nil {
			return nil, err
		}
	}
	bounds := func(side int) func(index []int) (float32, bool) {
		return func(index []int) (float32, bool) {
			return n.parts[tasktable.BoundOutput][(index[0]*(n.place.Words+1)+index[1])*tasktable.BoundColumns+side], false
		}
	}
	chosen, err := k.comparePool(want, x, n)
	if err != nil {
		return nil, err
	}
	for _, name := range x.Head {
		group, _, _ := strings.Cut(name, ".")
		var err error
		switch group {
		case "pool":
			results = append(results, chosen)
		case "start":
			err = compare(name, group, bounds(0))
		case "end":
			err = compare(name, group, bounds(1))
		case "inside":
			err = compare(name, group, bounds(2))
		case "null":
			err = compare(name, group, func(index []int) (float32, bool) { return n.parts[tasktable.AbsentOutput][index[0]], false })
		case "pair":
			if !chosen.OK {
				results = append(results, Result{Tensor: name, Group: group, Reason: "other spans were chosen"})
				continue
			}
			err = compare(name, group, func(index []int) (float32, bool) {
				return n.parts[tasktable.PairOutput][index[0]*n.place.Candidates+n.rows[index[1]]], false
			})
		default:
			err = fmt.Errorf("the tensor %s of text %s is not known", name, x.ID)
		}
		if err != nil {
			return nil, err
		}
	}
	return results, nil
}

// comparePool compares the chosen spans with the recorded ones, which must be the same.
func (k *comparison) comparePool(want *safetensors.File, x *Extract, n *boundaryNumbers) (Result, error) {
	i := slices.IndexFunc(x.Head, func(name string) bool { return strings.HasPrefix(name, "pool.") })
	if i < 0 {
		return Result{}, nil
	}
	r := Result{Tensor: x.Head[i], Group: "pool"}
	info, err := want.Info(r.Tensor)
	if err != nil {
		return r, err
	}
	data, err := readTensor(want, r.Tensor)
	if err != nil {
		return r, err
	}
	if len(info.Shape) != 2 || info.Shape[0] != len(n.rows) {
		r.Reason = fmt.Sprintf("%d spans were chosen, recorded is %v", len(n.rows), info.Shape)
		return r, nil
	}
	r.hold(data.data, info.Shape, func(index []int) (float64, bool) {
		return float64(n.parts[tasktable.PoolOutput][2*n.rows[index[0]]+index[1]]), false
	})
	return r, nil
}
