package spec

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestUnreadWordIsReported checks that a word of the schema that no code reads is reported in every block. So nobody can add a word and forget to read it.
func TestUnreadWordIsReported(t *testing.T) {
	const text = `dspec 1
model m like deberta_v3_base {
    zzz
    defaults { zzz }
    embed { zzz }
    relative rel { zzz }
    encoder { zzz; attention { zzz }; conv { kernel 3; zzz } }
    absolute pos { rows 512; zzz }
    decoder emd { repeat 2 of encoder.last; query encoder[-1] + pos; memory encoder[-1]; zzz }
}
head h on m { take first; linear hidden; act; linear 2 as labels("a", "b"); loss cross_entropy; zzz }
head g on m { take first; linear hidden; act; linear 2 as labels("a", "b"); loss cross_entropy }
ensemble e { member m.h; member m.g; zzz }
train t on m.h { batch 8 sequences; epochs 3; rate 1e-5; zzz; sift { zzz } }
target s { zzz }
`
	before := Schema
	defer func() { Schema = before }()
	blocks := map[string]bool{}
	for _, r := range before {
		if r.Block != "file" && !blocks[r.Block] {
			blocks[r.Block] = true
			Schema = append(Schema[:len(Schema):len(Schema)], &Row{Block: r.Block, Word: "zzz", Doc: "a word that nothing reads"})
		}
	}
	_, faults := ParseAndResolve("m.dspec", []byte(text))
	unread := 0
	for _, d := range faults {
		if d.Code == "no-effect" && d.Message == "zzz has no effect: nothing reads it" {
			unread++
		}
	}
	require.Equal(t, len(blocks), unread, "%v", faults)
	require.Len(t, faults, unread, "%v", faults)
}
