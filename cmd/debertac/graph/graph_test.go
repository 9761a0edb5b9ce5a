package graph_test

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/cmd/debertac/graph"
	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/spec"
	"github.com/debertac/debertac/spec/spectest"
)

// programs compiles all that a spec emits, up to a pass.
func programs(t *testing.T, text, after string) []*ir.Program {
	t.Helper()
	s, faults := spec.ParseAndResolve("m.dspec", []byte(text))
	require.NotNil(t, s, "%v", faults)
	units, faults, err := compiler.Compile(s, compiler.Options{After: after})
	require.NoError(t, err)
	require.False(t, faults.HasErrors(), "%v", faults)
	var list []*ir.Program
	for _, u := range units {
		list = append(list, u.Program)
	}
	return list
}

const decoded = `dspec 1
model m like deberta_base { }
head mlm on m.emd { take masked; linear hidden; act; norm; linear vocab tied embed.token; loss cross_entropy }
`

func pictures(list []*ir.Program, after string, pack bool) []*graph.Picture {
	var out []*graph.Picture
	for _, p := range list {
		out = append(out, graph.Of(p, after, graph.Options{Pack: pack}))
	}
	return out
}

// TestPicture checks that a picture has one panel per call and one box per operation, with its fused parts and the slots of results.
func TestPicture(t *testing.T) {
	p := programs(t, decoded, "threads")[0]
	d := graph.Of(p, "threads", graph.Options{})
	require.Len(t, d.Panels, len(p.Run))
	for i, c := range p.Run {
		require.Equal(t, c.Count, d.Panels[i].Times)
		operations := 0
		for _, b := range d.Panels[i].Boxes {
			if !b.End {
				operations++
			}
		}
		require.Equal(t, len(c.Region.Nodes), operations, c.Region.Name)
	}
	slots := map[int]bool{}
	for _, b := range p.Plan.Buffers {
		slots[b.Slot] = true
	}
	require.Len(t, d.Slots, len(slots))
	svg := string(graph.SVG([]*graph.Picture{d}))
	for _, want := range []string{"layer × 11, layers 0 to 10", "× 11", ">gelu<", ">residual<", ">c2p<", ">p2c<", ">softmax<",
		"f32[T, 3072] · slot 0", "gemm, divided by panels",
		"slot 0", "linear vocab tied embed.token", "absolute pos", "decoder_query", "at most 32 sequences (B), 16384 tokens (T)"} {
		require.Contains(t, svg, want)
	}
	require.NotContains(t, svg, "when weights are packed<")
	require.Contains(t, string(graph.SVG(pictures([]*ir.Program{p}, "threads", true))), "layer_pack")
	plain := string(graph.SVG(pictures(programs(t, decoded, "build"), "build", false)))
	require.Contains(t, plain, ">score_cp<")
	require.NotContains(t, plain, "slot")
	dot := string(graph.DOT([]*graph.Picture{d}))
	require.Equal(t, len(p.Run), strings.Count(dot, "subgraph cluster_"))
	require.Contains(t, dot, `label = "layer × 11, layers 0 to 10"`)
	html := string(graph.HTML([]*graph.Picture{d}))
	require.Contains(t, html, "<svg ")
	require.Contains(t, html, "<h2>Arena of ")
}

// rect matches a rectangle of an SVG document.
var rect = regexp.MustCompile(`<rect x="([-0-9.]+)" y="([-0-9.]+)" width="([-0-9.]+)" height="([-0-9.]+)" rx="([0-9.]+)" fill="(#[0-9a-f]+)" ` +
	`stroke="(#[0-9a-f]+)"`)

type box struct{ x, y, w, h float64 }

// TestPicturesAreSound checks pictures of random programs: a picture is well-formed and the same each time; boxes do not overlap and lie in a panel;
// panels do not overlap; everything lies on the page.
func TestPicturesAreSound(t *testing.T) {
	texts := []string{decoded, "dspec 1\nmodel m like deberta_v2_xlarge { }\nhead a on m { take first; linear hidden; act; linear 2 as labels(\"<a> & " +
		"\\\"b\\\"\", \"ü\"); loss cross_entropy }\n"}
	for i := range 12 {
		text, _ := spectest.Random(rand.New(rand.NewPCG(3, uint64(i))))
		texts = append(texts, text)
	}
	page := regexp.MustCompile(`viewBox="0 0 (\d+) (\d+)"`)
	for _, text := range texts {
		for _, after := range []string{"build", "fuse", "threads"} {
			list := programs(t, text, after)
			svg := graph.SVG(pictures(list, after, true))
			require.Equal(t, string(svg), string(graph.SVG(pictures(list, after, true))))
			d := xml.NewDecoder(bytes.NewReader(svg))
			for {
				if _, err := d.Token(); err == io.EOF {
					break
				} else {
					require.NoError(t, err)
				}
			}
			size := page.FindSubmatch(svg)
			require.NotNil(t, size)
			wide, high := number(string(size[1])), number(string(size[2]))
			var panels, boxes []box
			for _, m := range rect.FindAllStringSubmatch(string(svg), -1) {
				b := box{number(m[1]), number(m[2]), number(m[3]), number(m[4])}
				require.True(t, b.x >= 0 && b.y >= 0 && b.x+b.w <= wide && b.y+b.h <= high, "off the page: %v", b)
				switch {
				case m[5] == "10.0" || m[5] == "10":
					panels = append(panels, b)
				case m[5] != "4":
					boxes = append(boxes, b)
				}
			}
			require.NotEmpty(t, panels)
			disjoint(t, panels, text, after)
			disjoint(t, boxes, text, after)
			for _, b := range boxes {
				in := false
				for _, p := range panels {
					in = in || b.x >= p.x && b.y >= p.y && b.x+b.w <= p.x+p.w && b.y+b.h <= p.y+p.h
				}
				require.True(t, in, "a box is in no panel: %v after %s of\n%s", b, after, text)
			}
		}
	}
}

func number(s string) float64 {
	v, _ := strconv.ParseFloat(s, 64)
	return v
}

func disjoint(t *testing.T, list []box, text, after string) {
	t.Helper()
	for i, a := range list {
		for _, b := range list[:i] {
			apart := a.x+a.w <= b.x || b.x+b.w <= a.x || a.y+a.h <= b.y || b.y+b.h <= a.y
			require.True(t, apart, "%s", fmt.Sprintf("%v and %v overlap, after %s of\n%s", a, b, after, text))
		}
	}
}
