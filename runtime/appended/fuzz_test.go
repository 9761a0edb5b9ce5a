package appended

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
)

// FuzzFind checks that, whatever is at the end of a program, its list is refused or names ranges inside the file. The checksum is corrected, so
// that fuzzed lists pass this check.
func FuzzFind(f *testing.F) {
	for _, index := range []string{`[{"name":"m","offset":64,"size":3}]`, `[]`, `null`,
		`[{"name":"m","offset":-64,"size":3}]`, `[{"name":"m","offset":64,"size":9223372036854775807}]`,
		`[{"name":"m","offset":65,"size":0},{"name":"m","offset":64,"size":1}]`, `{`, ``} {
		f.Add(bytes.Repeat([]byte{1}, 128), []byte(index), uint64(128), uint64(len(index)))
	}
	f.Add([]byte("x"), []byte("[]"), uint64(1<<63), uint64(1<<63))
	f.Fuzz(func(t *testing.T, program, index []byte, at, size uint64) {
		data := append(bytes.Clone(program), index...)
		data = append(data, magic...)
		data = binary.LittleEndian.AppendUint64(data, at)
		data = binary.LittleEndian.AppendUint64(data, size)
		sum := sha256.Sum256(index)
		data = append(data, sum[:]...)
		path := filepath.Join(t.TempDir(), "program")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		entries, err := Find(path)
		if err != nil {
			return
		}
		for _, e := range entries {
			if e.Offset < 0 || e.Size < 0 || e.Offset%Alignment != 0 || e.Offset > int64(len(program)) || e.Size > int64(len(program))-e.Offset {
				t.Fatalf("%+v in a file of %d bytes before the list", e, len(program))
			}
		}
	})
}
