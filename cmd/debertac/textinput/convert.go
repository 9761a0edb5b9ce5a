package textinput

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/debertac/debertac/cmd/debertac/dataset"
	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/cmd/debertac/parquetfile"
	"github.com/debertac/debertac/cmd/debertac/wording"
	"github.com/debertac/debertac/runtime/disk"
	builtprogram "github.com/debertac/debertac/runtime/program"
	"github.com/debertac/debertac/runtime/tasktable"
)

// The extensions of inputs that debertac run converts, so that built programs do not have to link their decoders.
const (
	parquetExtension = ".parquet"
	zstdExtension    = ".zst"
)

// converts reports, by the name of a file, whether it has to be converted.
func converts(name string) bool {
	return slices.Contains([]string{parquetExtension, zstdExtension}, strings.ToLower(filepath.Ext(name)))
}

// Converted is an input that the built program reads from its standard input.
type Converted struct {
	io.Reader
	Close  func() error
	Format string
}

// faulty is a reader whose errors are faults of the input.
type faulty struct {
	io.Reader
	fault func(error) error
}

// Read reads from the wrapped reader, and turns its errors into faults of the input.
func (f *faulty) Read(p []byte) (int, error) {
	n, err := f.Reader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = f.fault(err)
	}
	return n, err
}

// Convert opens an input that built programs cannot read. It returns nil for an input that they can read.
func (i *Args) Convert(ctx context.Context) (*Converted, error) {
	if !converts(i.Input) {
		return nil, nil
	}
	if strings.EqualFold(filepath.Ext(i.Input), parquetExtension) {
		return i.convertParquet()
	}
	return i.decompress(ctx)
}

// decompress opens an input that zstd has compressed.
func (i *Args) decompress(ctx context.Context) (*Converted, error) {
	format, input := i.Format, i.Input // copies, because the flags change before the input is read
	if format == "" {
		name := strings.TrimSuffix(i.Input, filepath.Ext(i.Input))
		var err error
		if format, err = builtprogram.InputFormat(name); err != nil {
			return nil, fault.Input(i.Input, "%s", strings.TrimPrefix(err.Error(), name+": "))
		}
	}
	f, err := disk.OpenStream(ctx, i.Input)
	if err != nil {
		return nil, err
	}
	broken := func(err error) error { return fault.Input(input, "it cannot be decompressed: %v", err) }
	b := bufio.NewReader(f)
	if _, err := b.Peek(1); errors.Is(err, io.EOF) {
		return nil, errors.Join(fault.Input(input, "its name ends in %s, but it is not a zstd file: it is empty", zstdExtension), f.Close())
	}
	z, err := dataset.NewZstd(b)
	if err != nil {
		return nil, errors.Join(broken(err), f.Close())
	}
	return &Converted{Reader: &faulty{z, broken}, Format: format, Close: func() error { z.Close(); return f.Close() }}, nil
}

// convertParquet opens the columns of a Parquet file that the flags name.
func (i *Args) convertParquet() (c *Converted, err error) {
	if i.Format != "" {
		return nil, fault.Usage("", "--format %s belongs to files of text: %s is a Parquet file by its name", i.Format, i.Input)
	}
	f, err := parquetfile.Open(i.Input)
	if err != nil {
		return nil, parquetFault(i.Input, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close())
		}
	}()
	columns, err := i.columns(f.Columns())
	if err != nil {
		return nil, err
	}
	r, err := f.Lines(columns)
	if err != nil {
		return nil, parquetFault(i.Input, err)
	}
	name := i.Input // a copy, because the flag changes before the rows are read
	return &Converted{Reader: &faulty{r, func(err error) error { return parquetFault(name, err) }}, Format: "jsonl", Close: f.Close}, nil
}

// parquetFault returns the error for a fault of a Parquet file. An error of the system names the file already.
func parquetFault(name string, err error) error {
	var path *os.PathError
	if errors.As(err, &path) {
		return err
	}
	return fault.Input(name, "%v", err)
}

// columns returns the columns of the file that the program reads. It is an error if a column that a flag names is missing, or if there is neither a text nor a
// question.
func (i *Args) columns(have []string) ([]string, error) {
	var names []string
	found := map[string]bool{}
	for _, f := range tasktable.CommonFlags {
		name, given := i.Fields[f.Name]
		switch {
		case f.Name != "id" && !strings.HasSuffix(f.Name, "-field"):
			continue
		case !given:
			name = f.Default
		}
		there := slices.Contains(have, name)
		if given && !there {
			return nil, fault.Input(i.Input, "no column %q, which --%s names (its columns: %s)", name, f.Name, strings.Join(have, ", "))
		}
		if there {
			names, found[f.Name] = append(names, name), true
		}
	}
	for _, row := range tasktable.Table { // the program knows which of them its task reads
		for _, name := range row.Fields {
			if slices.Contains(have, name) {
				names = append(names, name)
			}
		}
	}
	if !found["text-field"] && !found["question-field"] {
		return nil, fault.Input(i.Input, "no column \"text\", nor \"question\" (its columns: %s)", strings.Join(have, ", ")).
			Hint("--text-field %[1]s, or --question-field %[1]s for questions", wording.Quoted(first(have)))
	}
	if list, given := i.Fields["echo"]; given {
		echo, err := builtprogram.List(list)
		if err != nil {
			return nil, fault.Usage("", "--echo %s: %v", list, err)
		}
		for _, name := range echo {
			if !slices.Contains(have, name) {
				return nil, fault.Input(i.Input, "no column %q, which --echo names (its columns: %s)", name, strings.Join(have, ", "))
			}
			names = append(names, name)
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	for n, name := range have {
		if slices.Contains(names, name) && slices.Contains(have[:n], name) {
			return nil, fault.Input(i.Input, "two columns are named %q", name)
		}
	}
	return names, nil
}

func first(names []string) string {
	if len(names) == 0 {
		return "NAME"
	}
	text, err := json.Marshal(names[0])
	if err != nil || strings.ContainsAny(names[0], " \"'\\$") {
		return string(text)
	}
	return names[0]
}
