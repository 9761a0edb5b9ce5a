package evaluation

import (
	"context"
	"errors"
	"io"

	"github.com/debertac/debertac/cmd/debertac/dataset"
	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/runtime/prediction"
)

// Score computes the metrics of a file of predictions, which may be compressed. "-" is the standard input, in.
func Score(ctx context.Context, path string, in io.Reader, task string, o prediction.Options) (*prediction.Report, error) {
	s, err := prediction.NewScorer(task, o)
	if err != nil {
		return nil, fault.Usage("", "--task: %v", err)
	}
	name := path
	if path == "-" {
		name = "standard input"
	} else {
		f, err := dataset.OpenText(ctx, path)
		if err != nil {
			return nil, err
		}
		defer f.Close() // read only
		in = f
	}
	r := prediction.NewReader(in)
	for ctx.Err() == nil {
		p, line, err := r.Next()
		if errors.Is(err, io.EOF) {
			report, err := s.Report()
			if err != nil {
				return nil, fault.Input(name, "%v", err)
			}
			return report, nil
		}
		if err != nil {
			return nil, fault.Input(name, "%v", err)
		}
		if err := s.Add(p); err != nil {
			return nil, fault.Input(name, "line %d: %v", line, err)
		}
	}
	return nil, ctx.Err()
}
