// Package prepare turns the data files of a command line into prepared data for a training, and finds prepared data again.
package prepare

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math"
	"slices"

	"github.com/debertac/debertac/cmd/debertac/built"
	"github.com/debertac/debertac/cmd/debertac/cache"
	"github.com/debertac/debertac/cmd/debertac/console"
	"github.com/debertac/debertac/cmd/debertac/corpus"
	"github.com/debertac/debertac/cmd/debertac/dataset"
	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/cmd/debertac/flags"
	"github.com/debertac/debertac/cmd/debertac/folder"
	"github.com/debertac/debertac/cmd/debertac/wording"
	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/runtime/example"
	"github.com/debertac/debertac/runtime/prepared"
	"github.com/debertac/debertac/spec"
)

// Flags are the flags of every verb that reads data for a training.
type Flags struct {
	Format    string  `placeholder:"NAME" help:"@data_format"`
	Long      string  `default:"reject" placeholder:"reject|truncate|windows[:STRIDE]" help:"What becomes of a text that is too long."`
	Special   string  `default:"text" enum:"text,tokens" help:"How names of special tokens such as [SEP] in texts are read: as text, or as tokens."`
	MaxTokens *int    `placeholder:"N" help:"Tokens of a sequence, special tokens included. Default: the length in the spec."`
	AllowBad  float64 `default:"0" placeholder:"P" help:"Share of the examples that may be unusable, from 0 to 1. They are listed and left out."`

	MapLabel map[string]string `placeholder:"OLD=NEW" help:"Read a label of the data as another one: --map-label 0=ham. May be given several times."`

	dataset.Flags `embed:""`
}

// Help returns the long texts of flags, by name.
func Help() map[string]string {
	return map[string]string{"data_format": "Format of the data: " + wording.List(dataset.FormatNames()) + ". Default: the name of the file tells it."}
}

// settings returns the choices about texts.
func (f *Flags) settings() (s corpus.Settings, err error) {
	if s.Long, err = runtime.ParseLong(f.Long); err != nil {
		return s, fault.Usage("--long reject|truncate|windows:STRIDE", "--long %s: %v", f.Long, err)
	}
	if f.Special == "tokens" {
		s.Special = runtime.SpecialAsTokens
	}
	if f.MaxTokens != nil {
		s.MaxTokens = *f.MaxTokens
	}
	return s, nil
}

// mostColumns is the largest number of a column of CoNLL files.
const mostColumns = 10_000

// Check refuses values of flags that mean nothing, before any work.
func (f *Flags) Check() error {
	err := flags.Within(flags.Real("--allow-bad", &f.AllowBad, 0, 1), flags.Whole("--max-tokens", f.MaxTokens, 1, math.MaxInt32),
		flags.Whole("--word-column", &f.WordColumn, -mostColumns, mostColumns), flags.Whole("--tag-column", &f.TagColumn, -mostColumns, mostColumns))
	if err != nil {
		return err
	}
	_, err = f.settings()
	return err
}

// Files opens data files as one source of examples, in their order. roles are those of the fields that are read, and
// split is the part of a data set by name that is read if the flags name none.
func (f *Flags) Files(ctx context.Context, paths, roles []string, split string, part Part) *Examples {
	o := f.Flags.Options(f.Format)
	o.Read = roles
	o.Usual = split
	return &Examples{ctx: ctx, options: o, paths: paths, labels: f.MapLabel, used: map[string]bool{}, has: part.filter()}
}

// Examples reads the examples of files, one file after the other.
type Examples struct {
	ctx     context.Context
	options dataset.Options
	paths   []string
	now     dataset.Source
	labels  map[string]string // other names of labels
	used    map[string]bool   // those of labels that the data have
	has     func(e *example.Example) bool
}

// Next returns the next example. At the end of the last file it returns io.EOF. See dataset.Source for other errors.
func (x *Examples) Next() (*example.Example, error) {
	for {
		if x.now == nil {
			if len(x.paths) == 0 {
				return nil, io.EOF
			}
			var err error
			if x.now, err = dataset.Open(x.ctx, x.paths[0], x.options); err != nil {
				return nil, err
			}
			x.paths = x.paths[1:]
		}
		e, err := x.now.Next()
		if err == nil {
			if x.rename(e); x.has(e) {
				return e, nil
			}
			continue
		}
		if !errors.Is(err, io.EOF) {
			return nil, err
		}
		if err := x.Close(); err != nil {
			return nil, err
		}
	}
}

// rename replaces labels by their other names.
func (x *Examples) rename(e *example.Example) {
	to := func(label *string) {
		if name, ok := x.labels[*label]; ok {
			x.used[*label] = true
			*label = name
		}
	}
	to(&e.Label)
	if e.Labels != nil {
		for i := range *e.Labels {
			to(&(*e.Labels)[i])
		}
	}
	for i := range e.Tags {
		to(&e.Tags[i])
	}
	for i := range e.Entities {
		to(&e.Entities[i].Label)
	}
}

// unused returns a label that is to be renamed and that the data do not have, or "".
func (x *Examples) unused() string {
	for _, old := range slices.Sorted(maps.Keys(x.labels)) {
		if !x.used[old] {
			return old
		}
	}
	return ""
}

// Close closes the file that is open.
func (x *Examples) Close() error {
	if x.now == nil {
		return nil
	}
	err := x.now.Close()
	x.now = nil
	return err
}

// Sum returns the sha256 of the contents of files, and of their names in folders, with their bytes.
func Sum(ctx context.Context, paths []string) (sum string, size int64, err error) {
	h := sha256.New()
	err = walk(paths, nil, func(name, path string, st fs.FileInfo) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if name != "" {
			fmt.Fprintf(h, "%q\n", name)
		}
		if st.IsDir() {
			return nil
		}
		n, err := hashFile(h, path)
		size += n
		return err
	})
	return hex.EncodeToString(h.Sum(nil)), size, err
}

// hashFile writes the content of a file to a hash.
func hashFile(h io.Writer, path string) (int64, error) {
	f, err := disk.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close() // read only
	return io.Copy(h, f)
}

// Data is prepared data.
type Data struct {
	Path   string // of the file
	Report corpus.Report
	Sum    string // sha256 of the data files
	Bytes  int64  // of the data files
	Made   bool   // it was made now, not found
}

// source identifies what prepared data are made of: the data, the tokenizer, the settings, and what the training asks for.
func (f *Flags) source(u *compiler.Unit, tok *folder.Lent, sum string, part Part) (string, error) {
	h := sha256.New()
	t := u.Training
	settings := *f
	settings.AllowBad = 0 // it decides whether there is a result, not what it is
	text, err := json.Marshal(settings)
	if err != nil {
		return "", fault.Ours(err)
	}
	fmt.Fprintf(h, "%d %s %+v\n%s\n%s %d %t %v %q %s\n", prepared.Format, sum, part, text, u.Program.Meta.SpecHash, t.Length, t.Mask != nil, t.Head.Task(),
		t.Head.Labels, t.Head.Loss)
	for _, a := range t.Also {
		fmt.Fprintf(h, "%s %s\n", a.Head.FullName(), a.Head.Task())
	}
	if err := tok.Hash(h); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// Encoder returns an encoder of examples for a training.
func (f *Flags) Encoder(u *compiler.Unit, tok *folder.Lent) (*corpus.Encoder, error) {
	set, err := f.settings()
	if err != nil {
		return nil, err
	}
	if err := folder.Fits(tok.Token, tok.Kind, tok.Path, u); err != nil {
		return nil, err
	}
	enc, err := corpus.NewEncoder(u.Training, tok.Token, set)
	if err != nil {
		return nil, fault.Input(u.Training.Pos.File, "%v", err)
	}
	return enc, nil
}

// Make prepares the data files for a training. Without out the result is in the cache, where it is found the next time.
func (f *Flags) Make(m *built.Maker, u *compiler.Unit, tok *folder.Lent, paths []string, part Part, out string) (*Data, error) {
	enc, err := f.Encoder(u, tok)
	if err != nil {
		return nil, err
	}
	stop := m.Progress("reading data")
	d := &Data{}
	began, err := stamps(paths)
	if err == nil {
		d.Sum, d.Bytes, err = Sum(m.Context, paths)
	}
	stop()
	if err != nil {
		return nil, err
	}
	source, err := f.source(u, tok, d.Sum, part)
	if err != nil {
		return nil, err
	}
	create := func(path string) error {
		d.Made = true
		return f.create(m.Console, &making{enc: enc, source: source, paths: paths, part: part, began: began, out: path}, &d.Report)
	}
	if out != "" {
		d.Path = out
		return d, create(out)
	}
	name, err := cacheName(m, source)
	if err != nil {
		return nil, err
	}
	if d.Path, err = m.Cached(cache.Prepared, name, "data of "+wording.List(paths), create); err != nil || d.Made {
		return d, err
	}
	file, err := prepared.Open(d.Path)
	if err != nil {
		return nil, err
	}
	d.Report.Meta = file.Meta
	return d, file.Close()
}

// cacheName returns the name of prepared data in the cache.
func cacheName(m *built.Maker, source string) (string, error) {
	own, err := m.Sum()
	if err != nil {
		return "", err
	}
	h := sha256.Sum256([]byte(own + source))
	return hex.EncodeToString(h[:])[:32] + ".prepared", nil
}

// making is what prepared data are made of.
type making struct {
	enc    *corpus.Encoder
	source string
	paths  []string
	part   Part
	began  []stamp // of the files before they were hashed
	out    string
}

// create writes prepared data.
func (f *Flags) create(c *console.Console, k *making, to *corpus.Report) error {
	enc, paths := k.enc, k.paths
	examples := f.Files(c.Context, paths, corpus.Reads(enc.Task()), "", k.part)
	defer examples.Close() // read only
	stop := c.Progress("preparing data")
	r, err := corpus.Prepare(c.Context, examples.Next, enc, corpus.Options{
		Path: k.out, Source: k.source, Bad: f.AllowBad,
		RowError: func(err error) (place, reason string, ok bool) {
			var row *dataset.RowError
			if !errors.As(err, &row) {
				return "", "", false
			}
			return row.Place(), row.Reason, true
		},
		Place: (*example.Example).Place,
		Accept: func() error {
			if old := examples.unused(); old != "" {
				return fault.Usage("leave it out", "--map-label %s=%s: no label of the data is %q", old, f.MapLabel[old], old)
			}
			return unchanged(paths, k.began)
		},
	})
	stop()
	var bad *corpus.BadError
	if errors.As(err, &bad) {
		for _, text := range bad.Report.First {
			c.Note("%s", text)
		}
		return fault.Input(wording.List(paths), "%v: mend them, or leave them out", bad).Hint("--allow-bad SHARE, such as 0.01")
	}
	if reason, ok := corpus.Reason(err); ok {
		return fault.Input(wording.List(paths), "%s", reason)
	}
	if err != nil {
		return err
	}
	for _, text := range r.First {
		c.Note("%s: left out", text)
	}
	*to = *r
	return nil
}

// Describe prints a report for people.
func (d *Data) Describe(c *console.Console) {
	r := &d.Report
	c.Note("%s, %s in %s, %d tokens at most%s", wording.Counted(r.Examples, "example", "examples"), wording.Counted(r.Tokens, "token", "tokens"),
		wording.Counted(r.Sequences, "sequence", "sequences"), r.Longest, d.cut())
	if r.Bad > 0 {
		c.Note("%s could not be used and %s left out", wording.Counted(r.Bad, "example", "examples"), map[bool]string{true: "was", false: "were"}[r.Bad == 1])
	}
	const most = 12
	for i, label := range slices.SortedFunc(maps.Keys(r.Count), func(a, b string) int { return r.Count[b] - r.Count[a] }) {
		if i == most {
			c.Note("  and %d more labels", len(r.Count)-most)
			break
		}
		c.Note("  %s: %d", label, r.Count[label])
	}
}

// cut describes what was cut off.
func (d *Data) cut() string {
	r := &d.Report
	if r.Cut == 0 {
		return ""
	}
	return fmt.Sprintf("; %s cut, %d tokens in all", wording.Counted(r.Cut, "text was", "texts were"), r.CutTokens)
}

// Label refuses labels that never occur, because a class without an example cannot be learnt.
func (d *Data) Label(c *console.Console, head *spec.Head) {
	for _, label := range head.Labels {
		if len(d.Report.Count) > 0 && d.Report.Count[label] == 0 {
			c.Note("note: no example has the label %s", label)
		}
	}
}
