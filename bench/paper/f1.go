package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// progress makes figure 1: the accuracy of RoBERTa and DeBERTa during a training, on the task of Table 14. `debertac plot` draws it.
func progress(ctx context.Context, l *lab) (*result, error) {
	seeds, steps, every := l.times(3), 1500, 50
	if l.short {
		seeds, steps, every = max(2, l.seeds), 100, 20 // a band needs two
	}
	cells, all := many(copies("reader", true, 4000, 200), seeds, steps)
	for _, j := range all {
		j.every = every
	}
	if err := l.run(ctx, all); err != nil {
		return nil, err
	}
	r := &result{columns: []string{"model"}}
	const parts = 5
	for i := 1; i <= parts; i++ {
		r.columns = append(r.columns, fmt.Sprint(i*steps/parts))
	}
	var runs []string
	for i, a := range compared {
		after := map[int][]float64{}
		for seed, j := range cells[i] {
			dir := l.place(j).of(".run")
			list, err := evaluations(filepath.Join(dir, "metrics.jsonl"), "eval_accuracy")
			if err != nil {
				return nil, err
			}
			for step, v := range list {
				after[step] = append(after[step], v)
			}
			named, err := l.called(dir, fmt.Sprintf("%s-%d", a.name, seed+1))
			if err != nil {
				return nil, err
			}
			runs = append(runs, named)
		}
		row := []string{a.name}
		for _, c := range r.columns[1:] {
			step, err := strconv.Atoi(c)
			if err != nil || len(after[step]) != seeds {
				return nil, fmt.Errorf("%s: %d runs of %d were evaluated after %s steps", a.name, len(after[step]), seeds, c)
			}
			row = append(row, percent(after[step]))
		}
		r.add(row...)
	}
	r.notes = append(r.notes, fmt.Sprintf("Accuracy of copying in percent, by the number of steps before; mean of %d seeds, with the smallest and the largest.",
		seeds))
	if l.pictures == "" {
		return r, nil
	}
	if err := os.MkdirAll(l.pictures, 0o777); err != nil {
		return nil, err
	}
	for _, ending := range []string{".svg", ".png"} {
		args := append(append([]string{"plot"}, runs...), "--band", "--only", "eval_accuracy", "-o", filepath.Join(l.pictures, "f1"+ending))
		if _, err := l.call(ctx, args...); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// called makes a link with a name to a folder, and returns its path. The legend of a picture has the names of folders.
func (l *lab) called(dir, name string) (string, error) {
	path := filepath.Join(l.dir, name)
	target, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return "", err
	}
	return path, os.Symlink(target, path)
}

// evaluations reads a metric of the evaluations of a run, by the number of steps before them.
func evaluations(path, metric string) (map[int]float64, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	list := map[int]float64{}
	for lines := json.NewDecoder(bytes.NewReader(b)); lines.More(); {
		line := map[string]float64{}
		if err := lines.Decode(&line); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if v, ok := line[metric]; ok {
			list[int(line["step"])] = v
		}
	}
	return list, nil
}
