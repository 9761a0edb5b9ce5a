package measure

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strings"
)

// mostMS is the largest time in results, in ms: 30 years. A larger time, whose sums could overflow, is damage.
const mostMS = 1e12

// damage returns an error for a result that debertac bench --json cannot have written. raw is the text of its object, which encoding/json accepts.
func damage(raw []byte, r *Result) error {
	keys, err := keysOf(raw)
	if err != nil {
		return err
	}
	for _, t := range []struct {
		name  string
		ms    float64
		above bool // 0 is damage too
	}{
		{"min_ms", r.MinMS, true}, {"p50_ms", r.P50MS, keys["p50_ms"]}, {"p90_ms", r.P90MS, keys["p90_ms"]}, {"p99_ms", r.P99MS, keys["p99_ms"]},
		{"start_ms", r.StartMS, false}, {"deviation_ms", r.DeviationMS, false}, {"between_ms", r.BetweenMS, false},
	} {
		switch {
		case t.above && !isTime(t.ms):
			return fmt.Errorf("%s is %g, want a time above 0 and up to %g ms", t.name, t.ms, mostMS)
		case t.ms != 0 && !isTime(t.ms):
			return fmt.Errorf("%s is %g, want a time from 0 to %g ms", t.name, t.ms, mostMS)
		}
	}
	if keys["rounds_ms"] && len(r.RoundsMS) == 0 {
		return fmt.Errorf("rounds_ms is empty, want one time per round")
	}
	for _, ms := range r.RoundsMS {
		if !isTime(ms) {
			return fmt.Errorf("rounds_ms has %g, want a time above 0 and up to %g ms", ms, mostMS)
		}
	}
	if keys["rounds"] && r.Rounds != len(r.RoundsMS) {
		return fmt.Errorf("rounds is %d, rounds_ms has %d times", r.Rounds, len(r.RoundsMS))
	}
	return nil
}

// isTime reports whether ms is a possible duration of a call, in milliseconds.
func isTime(ms float64) bool { return ms > 0 && ms <= mostMS && !math.IsNaN(ms) }

// keysOf returns the keys of an object in lower case, as encoding/json compares them. A key that occurs twice, also in a nested object, is an error,
// and so is a value null.
func keysOf(raw []byte) (map[string]bool, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	if _, err := d.Token(); err != nil { // the brace
		return nil, err
	}
	keys := map[string]bool{}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return nil, err
		}
		key := strings.ToLower(fmt.Sprint(token))
		if keys[key] {
			return nil, fmt.Errorf("%s is there twice", key)
		}
		keys[key] = true
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, err
		}
		if bytes.Equal(value, []byte("null")) {
			return nil, fmt.Errorf("%s is null", key)
		}
		if value[0] == '{' {
			if _, err := keysOf(value); err != nil {
				return nil, fmt.Errorf("%s.%w", key, err)
			}
		}
	}
	return keys, nil
}
