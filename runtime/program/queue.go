package program

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
)

// queue passes records from the reader to the model. The model takes all records that are there: many if the model is slower than the reader, single
// ones if a person types. The number of texts and of bytes in the queue is bounded.
type queue struct {
	mu      sync.Mutex
	changed sync.Cond
	records []record
	bytes   int
	err     error // what follows the records: io.EOF or a fault
	stopped bool
}

const (
	queueRecords = 512
	queueBytes   = 4 << 20
)

// fill reads src in a goroutine of its own until its end, its first fault, or the end of ctx.
func fill(ctx context.Context, src source) *queue {
	q := &queue{}
	q.changed.L = &q.mu
	context.AfterFunc(ctx, func() {
		q.mu.Lock()
		q.stopped, q.err, q.records = true, ctx.Err(), nil
		q.mu.Unlock()
		q.changed.Broadcast()
	})
	go func() {
		for {
			r, err := src.next()
			if !q.put(r, err) || err != nil {
				return
			}
		}
	}()
	return q
}

// await returns open's result, or ctx.Err() if ctx ends first: open may wait for the first bytes of a terminal, or for a pipe that nobody writes to.
func await(ctx context.Context, open func() (*input, error)) (*input, error) {
	type opened struct {
		in  *input
		err error
	}
	done := make(chan opened, 1)
	go func() {
		in, err := open()
		done <- opened{in, err}
	}()
	select {
	case o := <-done:
		return o.in, o.err
	case <-ctx.Done():
		return nil, ctx.Err() // open may still wait; the process ends soon
	}
}

// put waits for room and adds a record or an error. It reports whether the reader should go on.
func (q *queue) put(r record, err error) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	for !q.stopped && len(q.records) > 0 && (len(q.records) >= queueRecords || q.bytes >= queueBytes) {
		q.changed.Wait()
	}
	if q.stopped {
		return false
	}
	if err != nil {
		q.err = err
	} else {
		q.records = append(q.records, r)
		q.bytes += r.bytes()
	}
	q.changed.Broadcast()
	return true
}

// take waits for records and returns all that are there, in the memory of dst. After the last record it returns no records and the error that ended the
// input, or nil at the end of the input.
func (q *queue) take(dst []record) ([]record, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.records) == 0 && q.err == nil {
		q.changed.Wait()
	}
	if len(q.records) == 0 {
		if errors.Is(q.err, io.EOF) {
			return nil, nil
		}
		return nil, q.err
	}
	dst, q.records = q.records, dst[:0]
	q.bytes = 0
	q.changed.Broadcast()
	return dst, nil
}

// countReader counts the bytes read, for the progress bar.
type countReader struct {
	r io.Reader
	n atomic.Int64
}

func (c *countReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n.Add(int64(n))
	return n, err
}
