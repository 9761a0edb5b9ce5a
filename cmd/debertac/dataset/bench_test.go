package dataset_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/cmd/debertac/dataset"
)

// generate writes a file of about the given size in bytes; line returns its lines.
func generate(t testing.TB, name, header string, size int, line func(i int) string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	f, err := os.Create(path)
	require.NoError(t, err)
	w := bufio.NewWriter(f)
	n, err := w.WriteString(header)
	require.NoError(t, err)
	for i := 0; n < size; i++ {
		m, err := w.WriteString(line(i))
		require.NoError(t, err)
		n += m
	}
	require.NoError(t, w.Flush())
	require.NoError(t, f.Close())
	return path
}

// sentence is a text as mails have them.
const sentence = "The meeting is moved to Thursday at ten, please bring the figures of the last quarter and the \\\"draft\\\" with you. "

// BenchmarkRead measures how fast files are read.
func BenchmarkRead(b *testing.B) {
	const size = 32 << 20
	for _, f := range []struct {
		name, header string
		line         func(i int) string
	}{
		{"a.jsonl", "", func(i int) string {
			return fmt.Sprintf(`{"id":%d,"text":"%s%s%s","label":"ham","source":"list"}`+"\n", i, sentence, sentence, sentence)
		}},
		{"a.csv", "id,text,label\n", func(i int) string {
			return fmt.Sprintf("%d,\"The meeting is moved, please bring \"\"it\"\" to the room\",ham\n", i)
		}},
		{"a.txt", "", func(i int) string {
			return fmt.Sprintln(i, "The meeting is moved to Thursday at ten, please bring the figures of the quarter.")
		}},
	} {
		b.Run(filepath.Ext(f.name)[1:], func(b *testing.B) {
			path := generate(b, f.name, f.header, size, f.line)
			b.SetBytes(size)
			b.ReportAllocs()
			count(b, path, dataset.Options{})
			var before, after syscall.Rusage
			require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &before))
			for b.Loop() {
				count(b, path, dataset.Options{})
			}
			require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &after))
			used := after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano() // with the garbage collector's
			b.ReportMetric(float64(size)*float64(b.N)/1e6/(float64(used)/1e9), "MB/cpu-s")
		})
	}
}

// count reads a file and returns the number of its examples and faults.
func count(t testing.TB, path string, o dataset.Options) (examples, faults int) {
	t.Helper()
	s, err := dataset.Open(t.Context(), path, o)
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	for {
		_, err := s.Next()
		var row *dataset.RowError
		switch {
		case errors.Is(err, io.EOF):
			done, size := s.Read()
			require.Equal(t, size, done)
			return examples, faults
		case errors.As(err, &row):
			faults++
		default:
			require.NoError(t, err)
			examples++
		}
	}
}
