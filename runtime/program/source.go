package program

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/debertac/debertac/runtime"
)

// notUTF8 is the fault of a text in another encoding. The tokenizer would take its bytes for unknown characters, and the result would mean little.
const notUTF8 = "not valid UTF-8: convert it first, with iconv for instance"

// maxRecord bounds one line or CSV record: more is taken for a file of another kind, and must not fill the memory.
const maxRecord = 64 << 20

// record is one text of the input.
type record struct {
	file  string
	line  int // from 1; 0 for arguments
	text  runtime.Text
	label string // the expected label, if hasLabel
	// hasLabel says that the input gives one. One that is neither a name nor a number is kept as it is written: only --accuracy minds.
	hasLabel bool
	// extra are the fields of extraFields that the input gives, as JSON; only the tasks that need them read them.
	extra   map[string]json.RawMessage
	options []string // to choose from, when they are known
	noText  bool     // the input has no text, but some of those fields
	read    int64    // bytes of the input, as stored, that were read up to here; about, as it is read in blocks
}

// extraFields are what questions and models that are asked for labels have beside a text. A question stands in the text's place.
var extraFields = []string{"question", "context", "options", "labels"}

// needText is a fault if the record has no text.
func (r *record) needText() error {
	if r.noText {
		return faulty(r.where(), "the object has no field \"text\" (it has: %s)", fieldNames(r.extra))
	}
	return nil
}

// field is a field of text; ok is false if the record has none.
func (r *record) field(name string) (text string, ok bool, err error) {
	raw, ok := r.extra[name]
	if !ok {
		return "", false, nil
	}
	if text, err = jsonString(name, raw); err != nil {
		err = faulty(r.where(), "%w", err)
	}
	return text, true, err
}

// list is a field of several texts; nil if the record has none.
func (r *record) list(name string) ([]string, error) {
	raw, ok := r.extra[name]
	if !ok {
		return nil, nil
	}
	var all []json.RawMessage
	err := json.Unmarshal(raw, &all)
	list := []string{}
	for _, one := range all {
		var text string
		if text, err = jsonString(name, one); err != nil {
			break
		}
		list = append(list, text)
	}
	if err != nil || raw[0] != '[' {
		return nil, faulty(r.where(), "%q is %s, it must be an array of strings", name, shorten(string(raw), 40))
	}
	return list, nil
}

// where is "file:line", or what stands for it.
func (r *record) where() string {
	if r.line == 0 {
		return r.file
	}
	return r.file + ":" + strconv.Itoa(r.line)
}

// source gives records until io.EOF. Errors are inputErrors with file and line.
type source interface{ next() (record, error) }

// arguments are texts of the command line.
type arguments struct {
	texts []string
	done  int
}

func (a *arguments) next() (record, error) {
	if a.done == len(a.texts) {
		return record{}, io.EOF
	}
	a.done++
	r := record{file: fmt.Sprintf("argument %d", a.done), text: runtime.Text{First: a.texts[a.done-1]}}
	if !utf8.ValidString(r.text.First) {
		return record{}, faulty(r.where(), notUTF8)
	}
	return r, nil
}

// The formats of input files.
const (
	formatJSONL = "jsonl"
	formatCSV   = "csv"
	formatLines = "lines"
)

// formatOf reads the format off a file's name: .csv, .txt, and else JSONL; a .gz behind it does not count.
func formatOf(name string) string {
	switch filepath.Ext(strings.TrimSuffix(strings.ToLower(name), ".gz")) {
	case ".csv":
		return formatCSV
	case ".txt":
		return formatLines
	}
	return formatJSONL
}

// input is an open input.
type input struct {
	source
	size  int64        // of the file in bytes, as stored; -1 if not known
	read  *countReader // bytes read of it so far
	close func() error // never nil
}

// next reads a record and notes how far the input is read.
func (in *input) next() (record, error) {
	r, err := in.source.next()
	if in.read != nil {
		r.read = in.read.n.Load()
	}
	return r, err
}

// openInput opens a file, or standard input for "-". Gzip is recognised by its first bytes. An empty format is read off the name.
func openInput(name, format string, stdin io.Reader) (*input, error) {
	in := &input{size: -1, close: func() error { return nil }}
	var raw io.Reader = stdin
	if name == "-" {
		name = "standard input"
	} else {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		in.close = f.Close
		if st, err := f.Stat(); err == nil && st.Mode().IsRegular() {
			in.size = st.Size()
		}
		raw = f
	}
	guessed := ""
	if format == "" {
		format = formatOf(name)
		if format == formatJSONL && !strings.Contains(strings.ToLower(name), ".json") {
			guessed = " (the name does not tell the format: --format csv or lines if it is no JSONL)"
		}
	}
	in.read = &countReader{r: raw}
	b := bufio.NewReaderSize(in.read, 1<<13) // small, as progress counts what was read: of compressed mails a block holds a dozen
	head, err := b.Peek(2)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, errors.Join(faulty(name, "it cannot be read: %w", err), in.close())
	}
	if bytes.Equal(head, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(b)
		if err != nil {
			return nil, errors.Join(faulty(name, "damaged gzip file: %w", err), in.close())
		}
		b = bufio.NewReaderSize(z, 1<<16)
	} else if strings.HasSuffix(strings.ToLower(name), ".gz") {
		return nil, errors.Join(faulty(name, "its name ends in .gz, but it is no gzip file"), in.close())
	}
	skipByteOrderMark(b)
	err = nil // an empty input is one without texts
	switch format {
	case formatLines:
		in.source = &lines{file: name, r: b}
	case formatCSV:
		in.source, err = newTable(name, b)
	default:
		in.source = &objects{lines{file: name, r: b}, guessed}
	}
	if err != nil {
		return nil, errors.Join(err, in.close())
	}
	return in, nil
}

// skipByteOrderMark drops a mark that some editors put before UTF-8.
func skipByteOrderMark(b *bufio.Reader) {
	if head, err := b.Peek(3); err == nil && bytes.Equal(head, []byte{0xef, 0xbb, 0xbf}) {
		b.Discard(3) // just peeked at: cannot fail
	}
}

// lines reads a text a line.
type lines struct {
	file string
	line int
	r    *bufio.Reader
	buf  []byte
}

// readLine gives the next line without its end; it is valid until the next call.
func (l *lines) readLine() ([]byte, error) {
	l.buf = l.buf[:0]
	l.line++
	for {
		part, err := l.r.ReadSlice('\n')
		l.buf = append(l.buf, part...)
		switch {
		case errors.Is(err, bufio.ErrBufferFull) && len(l.buf) <= maxRecord:
			continue
		case len(l.buf) > maxRecord:
			return nil, faulty(l.where(), "the line is longer than %d MiB", maxRecord>>20)
		case errors.Is(err, io.EOF) && len(l.buf) == 0:
			return nil, io.EOF
		case err != nil && !errors.Is(err, io.EOF):
			return nil, faulty(l.where(), "it cannot be read: %w", err)
		}
		return bytes.TrimSuffix(bytes.TrimSuffix(l.buf, []byte("\n")), []byte("\r")), nil
	}
}

func (l *lines) where() string { return l.file + ":" + strconv.Itoa(l.line) }

func (l *lines) next() (record, error) {
	b, err := l.readLine()
	if err != nil {
		return record{}, err
	}
	if !utf8.Valid(b) {
		return record{}, faulty(l.where(), notUTF8)
	}
	return record{file: l.file, line: l.line, text: runtime.Text{First: string(b)}}, nil
}

// objects reads a JSON object a line: text, for pairs pair, and label if there is one. Other fields belong to others, but none may stand
// twice. Blank lines are skipped.
type objects struct {
	lines
	hint string // behind the message that a line is no JSON
}

func (o *objects) next() (record, error) {
	for {
		b, err := o.readLine()
		if err != nil {
			return record{}, err
		}
		if b = bytes.TrimSpace(b); len(b) > 0 {
			return o.parse(b)
		}
	}
}

func (o *objects) parse(b []byte) (record, error) {
	bad := func(format string, args ...any) (record, error) {
		return record{}, faulty(o.where(), format, args...)
	}
	if !utf8.Valid(b) {
		return bad(notUTF8)
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(b, &fields); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			return bad("not a JSON object: at byte %d: %w%s", syntax.Offset, err, o.hint)
		}
	}
	if fields == nil {
		return bad("not a JSON object with a text, such as {\"text\": \"…\"}%s", o.hint)
	}
	if name, ok := twice(b); ok {
		return bad("the field %q stands twice", name)
	}
	r := record{file: o.file, line: o.line}
	var err error
	for _, name := range extraFields {
		if raw, ok := fields[name]; ok && string(raw) != "null" {
			if r.extra == nil {
				r.extra = map[string]json.RawMessage{}
			}
			r.extra[name] = raw
		}
	}
	if raw, ok := fields["text"]; !ok && r.extra["question"] != nil {
		r.noText = true
	} else if !ok {
		return bad("the object has no field \"text\" (it has: %s)", fieldNames(fields))
	} else if r.text.First, err = jsonString("text", raw); err != nil {
		return bad("%w", err)
	}
	if raw, ok := fields["pair"]; ok && string(raw) != "null" {
		r.text.Pair = true
		if r.text.Second, err = jsonString("pair", raw); err != nil {
			return bad("%w", err)
		}
	}
	if raw, ok := fields["label"]; ok && string(raw) != "null" {
		r.hasLabel = true
		if r.label, err = jsonString("label", raw); err != nil {
			r.label = string(raw)
		}
	}
	return r, nil
}

// twice finds a field that a JSON object, which is known to be valid, has more than once: the decoder would keep the last and say nothing.
func twice(object []byte) (name string, ok bool) {
	d := json.NewDecoder(bytes.NewReader(object))
	_, err := d.Token() // the brace
	seen := map[string]bool{}
	for err == nil && d.More() {
		var key json.Token
		if key, err = d.Token(); err != nil {
			break
		}
		if name, _ = key.(string); seen[name] {
			return name, true
		}
		seen[name] = true
		var value json.RawMessage
		err = d.Decode(&value)
	}
	return "", false
}

func jsonString(name string, raw json.RawMessage) (s string, err error) {
	if len(raw) == 0 || raw[0] != '"' || json.Unmarshal(raw, &s) != nil {
		return "", fmt.Errorf("%q is %s, it must be a string", name, shorten(string(raw), 40))
	}
	if half := loneSurrogate(raw); half != "" {
		return "", fmt.Errorf("%q has %s, half of a character that takes two such escapes", name, half)
	}
	return s, nil
}

// loneSurrogate finds the first escape of a valid JSON string that is half of a surrogate pair, which stands for no character; "" if there is none.
func loneSurrogate(raw []byte) string {
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' {
			continue
		}
		i++
		if raw[i] != 'u' {
			continue
		}
		first := escaped(raw[i-1:])
		switch {
		case !utf16.IsSurrogate(first):
		case utf16.DecodeRune(first, escaped(raw[i+5:])) == utf8.RuneError:
			return string(raw[i-1 : i+5])
		default:
			i += 6 // the second half
		}
		i += 4
	}
	return ""
}

// escaped is the UTF-16 unit of the escape \uXXXX that b begins with, 0 if it begins with none.
func escaped(b []byte) rune {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0
	}
	unit, err := strconv.ParseUint(string(b[2:6]), 16, 16)
	if err != nil {
		return 0
	}
	return rune(unit)
}

func fieldNames(fields map[string]json.RawMessage) string {
	var names []string
	for n := range fields {
		names = append(names, strconv.Quote(n))
	}
	slices.Sort(names)
	if len(names) == 0 {
		return "none"
	}
	return shorten(strings.Join(names, " "), 100)
}
