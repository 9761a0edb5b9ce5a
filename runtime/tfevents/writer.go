// Package tfevents writes event files of TensorBoard: numbers of a training over its steps. Such a file is a sequence of records in the framing of TFRecord;
// each record is an Event of tensorflow/core/util/event.proto. The first event holds the version of the format, all others hold scalars.
package tfevents

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/debertac/debertac/runtime/disk"
)

// Name is the name of an event file in the folder of a run. TensorBoard reads the files whose names contain "tfevents".
const Name = "events.out.tfevents.debertac"

// Scalar is a number of a step. TensorBoard draws one picture per tag, and joins pictures whose tags have the same words before a "/". The file
// holds values as float32.
type Scalar struct {
	Tag   string
	Value float64
}

// Writer adds events to a file. It is not safe for concurrent use.
type Writer struct{ log *disk.Log }

// Open opens the event file at path, and makes it if it does not exist. A run that goes on computes the step next again, and those after it; so the
// events from the first one with such a step on are dropped. So is a last record that is cut, because the run was killed. A file with another damage, or
// of another format, is an error that names the place.
func Open(path string, next int64) (*Writer, error) { return open(path, next, time.Now()) }

// open is Open at a time.
func open(path string, next int64, now time.Time) (*Writer, error) {
	log, err := disk.OpenLog(path, 0o666)
	if err != nil {
		return nil, err
	}
	w := &Writer{log}
	if err := w.resume(path, next, now); err != nil {
		log.Close() // nothing was written to it
		return nil, err
	}
	return w, nil
}

// resume cuts the file after the last event that stays. A file without events gets the first one.
func (w *Writer) resume(path string, next int64, now time.Time) error {
	r := newReader(w.log.Reader(), w.log.Size())
	for kept := int64(0); ; kept = r.at {
		e, err := r.next()
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, errCut):
		case err != nil:
			return fmt.Errorf("%s: %w; remove the file, and the run writes a new one", path, err)
		case kept == 0 && e.version != version:
			return fmt.Errorf("%s is no event file that this version can continue: it does not begin with the version %q; remove the file, "+
				"and the run writes a new one", path, version)
		case e.version != "" || e.step < next:
			continue
		}
		if err := w.log.Truncate(kept); err != nil {
			return err
		}
		if kept == 0 {
			return w.write(appendVersion(nil, now))
		}
		return nil
	}
}

// Add writes the numbers of a step, with the time at which they were measured. They are in the file when Add returns, so they stay if the program
// is killed. Calls come in the order of steps; several calls may have the same step. If an error is returned, nothing was written.
func (w *Writer) Add(step int64, at time.Time, scalars ...Scalar) error {
	return w.write(appendEvent(nil, step, at, scalars))
}

// write writes a record.
func (w *Writer) write(event []byte) error {
	_, err := w.log.Write(appendRecord(nil, event))
	return err
}

// Close syncs and closes the file.
func (w *Writer) Close() error { return errors.Join(w.log.Sync(), w.log.Close()) }

// version is the content of the first event.
const version = "brain.Event:2"

// The fields of the messages Event, Summary and Summary.Value, with their wire types.
const (
	eventWallTime = 1<<3 | fixed64
	eventStep     = 2<<3 | varint
	eventVersion  = 3<<3 | bytes
	eventSummary  = 5<<3 | bytes
	summaryValue  = 1<<3 | bytes
	valueTag      = 1<<3 | bytes
	valueSimple   = 2<<3 | fixed32
)

// The wire types of protocol buffers.
const (
	varint  = 0
	fixed64 = 1
	bytes   = 2
	fixed32 = 5
)

// appendVersion appends the first event of a file.
func appendVersion(b []byte, at time.Time) []byte {
	return appendBytes(appendTime(b, at), eventVersion, []byte(version))
}

// appendEvent appends an event with scalars.
func appendEvent(b []byte, step int64, at time.Time, scalars []Scalar) []byte {
	b = appendTime(b, at)
	b = append(b, eventStep)
	b = binary.AppendUvarint(b, uint64(step))
	var summary []byte
	for _, s := range scalars {
		value := appendBytes(nil, valueTag, []byte(s.Tag))
		value = append(value, valueSimple)
		value = binary.LittleEndian.AppendUint32(value, math.Float32bits(float32(s.Value)))
		summary = appendBytes(summary, summaryValue, value)
	}
	return appendBytes(b, eventSummary, summary)
}

// appendTime appends the time of an event, in seconds since 1970.
func appendTime(b []byte, at time.Time) []byte {
	seconds := float64(at.Unix()) + float64(at.Nanosecond())/1e9
	return binary.LittleEndian.AppendUint64(append(b, eventWallTime), math.Float64bits(seconds))
}

// appendBytes appends a field that has a length.
func appendBytes(b []byte, field byte, value []byte) []byte {
	b = binary.AppendUvarint(append(b, field), uint64(len(value)))
	return append(b, value...)
}
