package dataset

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/runtime/example"
)

// sequence reads files one after another.
type sequence struct {
	ctx   context.Context
	paths []string
	next  int
	o     *Options
	open  *source
	done  int64
	err   error
}

func openFiles(ctx context.Context, paths []string, o *Options) (Source, error) {
	s := &sequence{ctx: ctx, paths: paths, o: o}
	if err := s.following(); err != nil {
		return nil, err
	}
	return s, nil
}

// following opens the next file.
func (s *sequence) following() (err error) {
	if s.open != nil {
		_, size := s.open.Read()
		s.done += max(size, 0)
		if err := s.open.Close(); err != nil {
			return err
		}
		s.open = nil
	}
	if s.next == len(s.paths) {
		return io.EOF
	}
	s.next++
	s.open, err = openFile(s.ctx, s.paths[s.next-1], s.o)
	return err
}

// Next returns the next example.
func (s *sequence) Next() (*example.Example, error) {
	for s.err == nil {
		e, err := s.open.Next()
		var row *RowError
		if !errors.Is(err, io.EOF) {
			if err != nil && !errors.As(err, &row) {
				s.err = err
			}
			return e, err
		}
		s.err = s.following()
	}
	return nil, s.err
}

// Read returns how much of the files has been read. The size of all is not known.
func (s *sequence) Read() (done, size int64) {
	if s.open != nil {
		done, _ = s.open.Read()
	}
	return s.done + done, -1
}

// Close closes the file that is open.
func (s *sequence) Close() error {
	if s.open == nil {
		return nil
	}
	return s.open.Close()
}

// splits lists the names that files of a split have.
var splits = map[string][]string{
	"train":                 {"train"},
	"validation":            {"validation", "dev", "val"},
	"validation_matched":    {"validation_matched", "dev_matched", "val_matched"},
	"validation_mismatched": {"validation_mismatched", "dev_mismatched", "val_mismatched"},
	"test":                  {"test"},
	"test_matched":          {"test_matched"},
	"test_mismatched":       {"test_mismatched"},
}

// alone lists the names that the files of tasks with one split have.
var alone = map[string][]string{"ax": {"AX", "diagnostic"}, "axb": {"AX-b"}, "axg": {"AX-g"}}

// shard is the end of the name of a file that is one of several.
var shard = regexp.MustCompile(`-(\d{5})-of-(\d{5})$`)

// files returns the files of a folder.
func (o *Options) files(path string) ([]string, error) {
	switch {
	case o.Task != "":
		return o.taskFiles(path)
	case o.Format == "race":
		all, err := articles(path)
		if err == nil && len(all) == 0 {
			err = fault.Input(path, "there are no articles in it: files with the ending .txt or .json")
		}
		return all, err
	}
	return nil, fault.Input(path, "this is a folder: name its files, or with --dataset the task that it holds; --format race reads a folder of articles")
}

// articles returns the files of a folder and of the folders in it, in the order of their names.
func articles(path string) (all []string, err error) {
	entries, err := disk.ReadDir(path)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		name := filepath.Join(path, e.Name())
		switch {
		case strings.HasPrefix(e.Name(), "."):
		case e.IsDir():
			more, err := articles(name)
			if err != nil {
				return nil, err
			}
			all = append(all, more...)
		case strings.HasSuffix(e.Name(), ".txt") || strings.Contains(e.Name(), ".json"):
			all = append(all, name)
		}
	}
	return all, nil
}

// splitNames returns the names that the files of a split of a task have.
func (t *Task) splitNames(split string) []string {
	names := slices.Clone(splits[split])
	if t.Name == "mnli" && (split == "validation" || split == "test") {
		names = append(names, splits[split+"_matched"]...)
	}
	if split == "test" {
		names = append(names, alone[t.Name]...)
	}
	return names
}

// has returns the splits of a task that there are, by the names of files.
func (t *Task) has(names []string) (list []string) {
	for _, split := range slices.Sorted(maps.Keys(splits)) {
		own := t.splitNames(split)
		if slices.ContainsFunc(names, func(name string) bool { return slices.Contains(own, stem(name)) }) {
			list = append(list, split)
		}
	}
	return list
}

// fits refuses a split of a file, unless its name tells that it is that split: a split is chosen among the files of a folder.
func (o *Options) fits(path string) error {
	if o.Task == "" || o.Split == "" {
		return nil
	}
	t, name := TaskOf(o.Task), filepath.Base(path)
	if slices.Contains(t.splitNames(o.Split), stem(name)) {
		return nil
	}
	if have := t.has([]string{name}); len(have) > 0 {
		return fault.Usage("leave out --split", "--split %s: %s is the split %s by its name", o.Split, path, strings.Join(have, " or "))
	}
	return fault.Usage("leave out --split", "--split %s chooses among the files of a folder, and %s is one file, which is read as a whole", o.Split, path)
}

// taskFiles returns the files of the split of a task. They are in the folder, or in the one with the name of the task in it.
func (o *Options) taskFiles(path string) ([]string, error) {
	t := TaskOf(o.Task)
	split := cmp.Or(o.Split, o.Usual, "train")
	names := t.splitNames(split)
	var tried []string
	for _, folder := range []string{path, filepath.Join(path, t.Folder), filepath.Join(path, t.Name)} {
		entries, err := disk.ReadDir(folder)
		if err != nil {
			if folder == path {
				return nil, err
			}
			continue
		}
		var found []string
		for _, e := range entries {
			if !e.IsDir() && slices.Contains(names, stem(e.Name())) {
				found = append(found, e.Name())
			}
			tried = append(tried, e.Name())
		}
		if len(found) > 0 {
			return whole(folder, found)
		}
	}
	what := "there are: " + nameList(tried)
	if have := t.has(tried); len(have) > 0 {
		what = "there are the splits: " + strings.Join(have, ", ")
	}
	if len(names) == 0 {
		return nil, fault.Usage("", "--split %s: it must be train, validation or test, and of mnli also validation_mismatched or test_mismatched (in %s %s)",
			split, path, what)
	}
	return nil, fault.Input(path, "there is no file of the split %s of %s: its name would be %s, with .tsv, .jsonl or .parquet (%s)", split, t.Name,
		strings.Join(names, " or "), what)
}

// stem returns the name of a file without its extensions and its number as a shard; "" for a file that is no data.
func stem(name string) string {
	base := name
	for _, p := range packings {
		base = strings.TrimSuffix(base, p.extension)
	}
	extension := filepath.Ext(base)
	if !slices.Contains([]string{".tsv", ".jsonl", ".json", ".csv", ".parquet"}, extension) {
		return ""
	}
	return shard.ReplaceAllString(strings.TrimSuffix(base, extension), "")
}

// whole returns the paths of files that are one split: one file, or all of its shards.
func whole(folder string, names []string) (paths []string, err error) {
	slices.Sort(names)
	count := ""
	for i, name := range names {
		m := shard.FindStringSubmatch(strings.TrimSuffix(name, filepath.Ext(name)))
		switch {
		case m == nil && len(names) > 1, m != nil && count != "" && m[2] != count:
			return nil, fault.Input(folder, "several files are the same split: %s: name one of them", strings.Join(names, ", "))
		case m != nil && m[1] != fmt.Sprintf("%05d", i):
			return nil, fault.Input(folder, "the file with the number %05d of %s is missing (there are: %s)", i, m[2], nameList(names))
		case m != nil:
			count = m[2]
		}
		paths = append(paths, filepath.Join(folder, name))
	}
	if count != "" && count != fmt.Sprintf("%05d", len(names)) {
		return nil, fault.Input(folder, "the file with the number %05d of %s is missing (there are: %s)", len(names), count, nameList(names))
	}
	return paths, nil
}
