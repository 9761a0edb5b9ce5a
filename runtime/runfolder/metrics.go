package runfolder

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"slices"
	"strconv"

	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/runtime/example"
	"github.com/debertac/debertac/runtime/ragged"
)

// Line is a line of the metrics: numbers by their names after a number of steps. Lines of steps have loss, rate, grad_norm and tokens_per_s; lines of
// evaluations have names that begin with eval_.
type Line struct {
	Step   int // steps that are done
	Values map[string]float64
}

// EvalPrefix begins the names of metrics of evaluations.
const EvalPrefix = "eval_"

// order lists the names that stand first in a line.
var order = []string{"epoch", "loss", "rate", "grad_norm", "tokens_per_s"}

// MarshalJSON writes the step first, then what every line of a step has, then the rest by name. A number that is not finite is an error.
func (l *Line) MarshalJSON() ([]byte, error) {
	b := strconv.AppendInt([]byte(`{"step":`), int64(l.Step), 10)
	names := slices.SortedFunc(maps.Keys(l.Values), func(x, y string) int {
		i, k := slices.Index(order, x), slices.Index(order, y)
		switch {
		case i >= 0 && k >= 0:
			return i - k
		case i >= 0:
			return -1
		case k >= 0:
			return 1
		}
		return bytes.Compare([]byte(x), []byte(y))
	})
	for _, name := range names {
		v := l.Values[name]
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, fmt.Errorf("%s is %v after step %d: JSON has no such number", name, v, l.Step)
		}
		key, err := json.Marshal(name)
		if err != nil {
			return nil, err
		}
		b = append(append(append(b, ','), key...), ':')
		b = strconv.AppendFloat(b, v, 'g', -1, 64)
	}
	return append(b, '}'), nil
}

// UnmarshalJSON reads a line. A value that is not a number is an error.
func (l *Line) UnmarshalJSON(text []byte) error {
	given := map[string]*float64{}
	if err := json.Unmarshal(text, &given); err != nil {
		return err
	}
	if name, ok := example.Twice(text); ok {
		return fmt.Errorf("the field %q stands twice", name)
	}
	values := map[string]float64{}
	for name, v := range given {
		if v == nil {
			return fmt.Errorf("%q is null, and must be a number", name)
		}
		values[name] = *v
	}
	step, ok := values["step"]
	switch {
	case !ok:
		return errors.New(`it has no "step"`)
	case step != math.Trunc(step) || step < 0 || step > MostSteps:
		return fmt.Errorf(`"step" is %v, and must be a whole number from 0 to %d`, step, MostSteps)
	}
	delete(values, "step")
	l.Step, l.Values = int(step), values
	return nil
}

// maxMetrics bounds the file of metrics, in bytes.
const maxMetrics = 4 << 30

// Metrics reads the metrics. A last line that was cut off by a kill does not count; any other line that is not one is an error with its number.
func (f *Folder) Metrics() ([]Line, error) {
	lines, _, err := f.readMetrics(math.MaxInt)
	return lines, err
}

// readMetrics reads the lines up to a step, and returns them with the number of bytes that they take from the start of the file.
func (f *Folder) readMetrics(last int) (lines []Line, size int64, err error) {
	text, err := disk.ReadFile(f.Path(MetricsFile), maxMetrics)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	for n := 1; len(text) > 0; n++ {
		line, rest, whole := bytes.Cut(text, []byte("\n"))
		if !whole {
			break
		}
		var l Line
		if err := json.Unmarshal(line, &l); err != nil {
			return nil, 0, ragged.Errorf("%s:%d: it is not a line of metrics: %v", f.Path(MetricsFile), n, err)
		}
		if l.Step > last {
			break
		}
		lines, size, text = append(lines, l), size+int64(len(line))+1, rest
	}
	return lines, size, nil
}

// Begin prepares the folder for steps after a number of steps: metrics of later steps, checkpoints of later steps and a later best evaluation belong to a run
// that was interrupted, and are removed. It returns the lines that stay. The folder must be locked.
func (f *Folder) Begin(step int) ([]Line, error) {
	lines, size, err := f.readMetrics(step)
	if err != nil {
		return nil, err
	}
	list, err := f.Checkpoints()
	if err != nil {
		return nil, err
	}
	for _, c := range list {
		if c.Step > step {
			if err := disk.Remove(c.Path); err != nil {
				return nil, err
			}
		}
	}
	best, err := f.Best()
	if err == nil && best != nil && best.Step > step {
		err = f.SetBest(nil)
	}
	if err != nil {
		return nil, err
	}
	if f.metrics, err = disk.OpenLog(f.Path(MetricsFile), 0o666); err != nil {
		return nil, err
	}
	return lines, f.metrics.Truncate(size)
}

// Log adds a line to the metrics.
func (f *Folder) Log(l *Line) error {
	text, err := json.Marshal(l)
	if err != nil {
		return err
	}
	_, err = f.metrics.Write(append(text, '\n'))
	return err
}

// Sync returns when the metrics are on the disk. It is called before a checkpoint, so that a checkpoint never lacks the metrics of its steps.
func (f *Folder) Sync() error { return f.metrics.Sync() }
