package token

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime/tokenizer"
)

// benchText returns about 64 KiB of plain prose with every kind of character in it.
func benchText(tb testing.TB) string {
	lines := readRecords(tb, "spm_v3", "encodings.jsonl.gz")
	var b strings.Builder
	for b.Len() < 64<<10 {
		b.WriteString("On Mon, 19 Aug 2002 12:01:02 BST, Adrian Murphy said:\n> I wonder could anyone recommend a good\n> website monitoring service, with " +
			"alerts. It sounds more like you're looking for a commercial service, in which case we cannot help.\n")
		b.WriteString(lines[len(lines)-1].Text)
		b.WriteByte('\n')
	}
	return b.String()
}

func BenchmarkEncode(b *testing.B) {
	text := benchText(b)
	for _, form := range []string{"spm", "json"} {
		t := loadGolden(b, "spm_v3", form)
		b.Run(form+"/AppendIDs", func(b *testing.B) {
			var ids []int32
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				ids, _ = t.AppendIDs(ids[:0], text, SpecialText)
			}
		})
		b.Run(form+"/AppendSpans", func(b *testing.B) {
			var spans []tokenizer.Span
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				spans, _ = t.AppendSpans(spans[:0], text, SpecialText)
			}
		})
	}
}

func BenchmarkUnmarshal(b *testing.B) {
	flat, err := bigTokenizer(b, 128_000).Marshal()
	require.NoError(b, err)
	b.ReportMetric(float64(len(flat))/1e6, "MB")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Unmarshal(flat); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFromJSON(b *testing.B) {
	text, err := os.ReadFile("testdata/spm_v3/tokenizer.json")
	require.NoError(b, err)
	for b.Loop() {
		if _, err := FromJSON(text); err != nil {
			b.Fatal(err)
		}
	}
}
