package program

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/debertac/debertac/runtime/command"
)

// limits holds the probabilities of --threshold.
type limits struct {
	all    *float64           // for labels without a limit of their own; nil: the default
	single map[string]float64 // limit by label
}

// read parses P, LABEL=P, several of these with commas between them, or a JSON object of labels.
func (l *limits) read(text string) error {
	if strings.HasPrefix(strings.TrimSpace(text), "{") {
		var object map[string]*float64
		err := json.Unmarshal([]byte(text), &object)
		l.single = map[string]float64{}
		for label, p := range object {
			if p != nil {
				l.single[label] = *p
			}
		}
		if err != nil || len(object) == 0 || len(l.single) < len(object) { // null is not a number
			return usage("--threshold %s: it must be a JSON object of labels with numbers, such as {\"person\": 0.3}", command.Shorten(text, 60))
		}
	} else {
		for part := range strings.SplitSeq(text, ",") {
			if err := l.readOne(strings.TrimSpace(part)); err != nil {
				return err
			}
		}
	}
	for _, p := range l.values() {
		if !(p >= 0 && p <= 1) {
			return usage("--threshold %v: it must be from 0 to 1", p)
		}
	}
	return nil
}

func (l *limits) readOne(part string) error {
	at := strings.LastIndexByte(part, '=')
	p, err := strconv.ParseFloat(strings.TrimSpace(part[at+1:]), 64)
	label := strings.TrimSpace(part[:max(at, 0)])
	switch _, again := l.single[label]; {
	case err != nil:
		return usage("--threshold %q: it must be a number from 0 to 1, or LABEL=NUMBER", command.Shorten(part, 60))
	case at < 0 && l.all != nil:
		return usage("--threshold %s: there is another number without a label already", part)
	case at < 0:
		l.all = &p
	case label == "" || again:
		return usage("--threshold %q: the label before = is empty or given twice", command.Shorten(part, 60))
	default:
		if l.single == nil {
			l.single = map[string]float64{}
		}
		l.single[label] = p
	}
	return nil
}

// of returns the limit of each label. For a label without a limit it returns otherwise.
func (l *limits) of(labels []string, otherwise float64) ([]float32, error) {
	if l.all != nil {
		otherwise = *l.all
	}
	list := make([]float32, len(labels))
	for i, label := range labels {
		p, own := l.single[label]
		if !own {
			p = otherwise
		}
		list[i] = float32(p)
	}
	for _, label := range slices.Sorted(maps.Keys(l.single)) {
		if !slices.Contains(labels, label) {
			return nil, usage("--threshold: the model has no label %q (it has: %s)", command.Shorten(label, 40),
				command.Shorten(strings.Join(labels, ", "), 200))
		}
	}
	return list, nil
}

// values returns all the numbers.
func (l *limits) values() []float64 {
	var list []float64
	if l.all != nil {
		list = append(list, *l.all)
	}
	for _, p := range l.single {
		list = append(list, p)
	}
	slices.Sort(list)
	return list
}
