package program

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime/command"
)

// openInput opens an input with the default names of the fields.
func openInput(name, format string, stdin io.Reader) (*input, error) {
	return opening{path: name, format: format, columns: defaultColumns()}.open(context.Background(), stdin)
}

// firstFault reads until a record has a fault or the input ends, and returns the fault or the error.
func firstFault(in *input) error {
	for {
		r, err := in.next()
		if err == nil {
			err = r.fault
		}
		if err != nil {
			return err
		}
	}
}

// manyRecords returns a gzip file with more records than it has bytes.
func manyRecords(f *testing.F) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := io.WriteString(w, strings.Repeat("{}\n", 1000))
	require.NoError(f, err)
	require.NoError(f, w.Close())
	return b.String()
}

// FuzzInput passes any bytes to the reader of every format. The reader must return a record, the end, or a fault of the input that names the file.
func FuzzInput(f *testing.F) {
	for _, s := range []string{"", "{\"text\":\"x\",\"pair\":null,\"label\":3}\n", "text,pair\n\"a\nb\",c\n", "\x1f\x8b\x08", "\xef\xbb\xbf{}", "[",
		"text\n\"", manyRecords(f), "\r\n\r\n", "[\"a\", {\"text\":\"b\"}, 3]", "text\tpair\na\t\"b\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		most := len(data) // records: each has a byte of what is read
		if unpacked, err := gzip.NewReader(bytes.NewReader(data)); err == nil {
			n, _ := io.Copy(io.Discard, unpacked)
			most += int(n)
		}
		for _, format := range FormatNames() {
			in, err := openInput("-", format, strings.NewReader(string(data)))
			for n := 0; err == nil; n++ {
				var r record
				r, err = in.next()
				if err == nil && (n > most || r.line < 1) {
					t.Fatalf("%s: record %d at line %d of %d bytes", format, n, r.line, len(data))
				}
				if r.fault != nil && (command.ExitCode(r.fault) != ExitInput || !strings.HasPrefix(r.fault.Error(), "standard input:")) {
					t.Fatalf("%s: %v", format, r.fault)
				}
			}
			if err != io.EOF && (command.ExitCode(err) != ExitInput || !strings.HasPrefix(err.Error(), "standard input")) {
				t.Fatalf("%s: %v", format, err)
			}
		}
	})
}

// endless returns records of one size for ever.
type endless struct {
	size, given int
}

func (e *endless) next() (record, error) {
	e.given++
	r := record{line: e.given}
	r.text.First = strings.Repeat("x", e.size)
	return r, nil
}

// TestQueueIsBounded checks that a reader that is faster than the model waits, and stops when the context ends.
func TestQueueIsBounded(t *testing.T) {
	for _, size := range []int{0, 1 << 20} {
		ctx, cancel := context.WithCancel(t.Context())
		src := &endless{size: size}
		q := fill(ctx, src)
		var got []record
		var err error
		last := 0
		for range 5 {
			time.Sleep(5 * time.Millisecond) // the reader reads ahead as far as it may
			got, err = q.take(got)
			require.NoError(t, err)
			require.LessOrEqual(t, len(got), queueRecords)
			require.LessOrEqual(t, (len(got)-1)*size, queueBytes)
			for _, r := range got {
				require.Equal(t, last+1, r.line, "in order")
				last = r.line
			}
		}
		cancel()
		for err == nil {
			_, err = q.take(nil)
		}
		require.ErrorIs(t, err, context.Canceled)
	}
}

// TestQueueEndsAfterRecords checks that records that were read before a fault come first.
func TestQueueEndsAfterRecords(t *testing.T) {
	q := fill(t.Context(), &lines{file: "f", unit: unitLine, r: bufio.NewReader(strings.NewReader("a\nb\n"))})
	n := 0
	for {
		got, err := q.take(nil)
		require.NoError(t, err)
		if got == nil {
			break
		}
		n += len(got)
	}
	require.Equal(t, 2, n)
	fault := errors.New("broken")
	q = fill(t.Context(), failing{fault})
	_, err := q.take(nil)
	require.ErrorIs(t, err, fault)
}

type failing struct{ err error }

func (f failing) next() (record, error) { return record{}, f.err }

// TestLongLine checks that a line without an end does not fill the memory.
func TestLongLine(t *testing.T) {
	in, err := openInput("-", formatJSONL, io.LimitReader(zeros{}, maxRecord+2))
	require.NoError(t, err)
	require.ErrorContains(t, firstFault(in), "standard input:1: the line is longer than 64 MiB")
	_, err = in.next()
	require.ErrorIs(t, err, io.EOF, "the rest of the line does not count as a record")
	in, err = openInput("-", formatCSV, io.MultiReader(strings.NewReader("text\n\"a"), io.LimitReader(zeros{}, 2*maxRecord)))
	require.NoError(t, err)
	_, err = in.next()
	require.ErrorContains(t, err, "a CSV record is longer than 64 MiB: is a quote missing?")
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'z'
	}
	return len(p), nil
}

// TestBadRecords checks that each fault of an input is reported with its place, whatever the format.
func TestBadRecords(t *testing.T) {
	latin := "caf\xe9"
	for _, c := range []struct{ format, input, want string }{
		{formatLines, "fine\n" + latin + "\n", "standard input:2: not valid UTF-8"},
		{formatJSONL, `{"text":"` + latin + `"}`, "standard input:1: not valid UTF-8"},
		{formatCSV, "text\n" + latin + "\n", "standard input:2: not valid UTF-8"},
		{formatJSONL, `{"text":"a","text":"b"}`, `standard input:1: the field "text" stands twice`},
		{formatJSONL, `{"text":"a","x":{"y":[1]},"pair":"b","x":1}`, `the field "x" stands twice`},
		{formatJSONL, `null`, "standard input:1: not a JSON object"},
		{formatJSONL, `{"text":"a\ud800b"}`, `"text" has \ud800, half of a character`},
		{formatJSONL, `{"text":"a","pair":"\udc00\ud800"}`, `"pair" has \udc00, half of a character`},
		{formatJSONL, `{"text":"\ud83d"}`, `half of a character`},
		{formatJSONL, `{"text":"\ud83d\u0041"}`, `half of a character`},
		{formatCSV, "text,text\na,b\n", `standard input:1: two columns are named "text"`},
		{formatCSV, "text,n\ra,1\rb,2", "its lines end in CR alone: convert it first, with tr '\\r' '\\n' for instance"},
		{formatTSV, "text\tn\ra\t1\r", "its lines end in CR alone"},
		{formatPlainTSV, "text\tn\ra\t1\r", "its lines end in CR alone"},
		{formatLines, "one\rtwo\r", "its lines end in CR alone"},
		{formatJSONL, "{\"text\":\"a\"}\r{\"text\":\"b\"}\r", "its lines end in CR alone"},
		{formatCSV, "text,n\n\"open,1\nb,2\nc,3\n", "standard input:2: extraneous or missing \" in quoted-field in a row that goes on to line 4"},
		{"", "a line\n", "--format json|csv|tsv|tsv-plain|lines if it is not JSONL"},
		{"", "[1]\n", "--format json|csv|tsv|tsv-plain|lines if it is not JSONL"},
	} {
		in, err := openInput("-", c.format, strings.NewReader(c.input))
		if err == nil {
			err = firstFault(in)
		}
		require.ErrorContains(t, err, c.want, c.input)
		require.Equal(t, ExitInput, command.ExitCode(err), c.input)
	}
	r, err := (&arguments{texts: []string{latin}}).next()
	require.NoError(t, err)
	require.ErrorContains(t, r.fault, "argument 1: not valid UTF-8")
}

// TestEscapedTexts checks texts whose escapes look like half of a surrogate pair but are whole characters.
func TestEscapedTexts(t *testing.T) {
	for input, want := range map[string]string{
		`{"text":"\ud83d\ude00"}`:             "\U0001F600",
		`{"text":"\ud83d\ude00\ud83d\ude00"}`: "\U0001F600\U0001F600",
		`{"text":"\\ud800"}`:                  `\ud800`,
		`{"text":"\ufffd"}`:                   "\ufffd",
	} {
		in, err := openInput("-", formatJSONL, strings.NewReader(input))
		require.NoError(t, err)
		r, err := in.next()
		require.NoError(t, err, input)
		require.Equal(t, want, r.text.First)
	}
}

// TestNamedGzip checks files whose names end in .gz and whose content is not gzip, such as a download that failed.
func TestNamedGzip(t *testing.T) {
	for _, content := range []string{"", "not gzip\n"} {
		path := filepath.Join(t.TempDir(), "mails.txt.gz")
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		_, err := openInput(path, "", nil)
		require.ErrorContains(t, err, "mails.txt.gz: its name ends in .gz, but it is not a gzip file")
	}
}
