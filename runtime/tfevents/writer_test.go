package tfevents

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime/disk"
)

// start is the time of the first event of the tests.
var start = time.Unix(1700000000, 250_000_000)

// write writes the events of the steps from first to last.
func write(t *testing.T, path string, first, last int64) {
	t.Helper()
	w, err := open(path, first, start)
	require.NoError(t, err)
	for step := first; step <= last; step++ {
		at := start.Add(time.Duration(step) * 500 * time.Millisecond)
		require.NoError(t, w.Add(step, at, Scalar{"train/loss", 1 / float64(step+1)}, Scalar{"train/rate", 2e-5 * float64(step)}))
		if step%2 == 1 {
			require.NoError(t, w.Add(step, at, Scalar{"eval/genauigkeit in München", float64(step) / 10}))
		}
	}
	require.NoError(t, w.Close())
}

// TestRecordedFile compares a file with the one that TensorBoard has read, and its numbers with those that TensorBoard found in it.
func TestRecordedFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), Name)
	write(t, path, 0, 4)
	got, err := os.ReadFile(path)
	require.NoError(t, err)
	recorded := filepath.Join("testdata", Name)
	if os.Getenv("UPDATE") != "" {
		require.NoError(t, os.WriteFile(recorded, got, 0o666)) // then run testdata/record.py
	}
	want, err := os.ReadFile(recorded)
	require.NoError(t, err)
	require.Equal(t, want, got)

	type point struct {
		Step  int64
		Time  float64
		Value float64
	}
	var read map[string][]point
	text, err := os.ReadFile("testdata/read.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &read))
	written := map[string][]point{}
	for step := range int64(5) {
		at := 1700000000.25 + float64(step)/2
		add := func(tag string, v float64) { written[tag] = append(written[tag], point{step, at, float64(float32(v))}) }
		add("train/loss", 1/float64(step+1))
		add("train/rate", 2e-5*float64(step))
		if step%2 == 1 {
			add("eval/genauigkeit in München", float64(step)/10)
		}
	}
	require.Equal(t, written, read)
}

// TestFraming reads a file by the description of the format, with a checksum computed bit by bit.
func TestFraming(t *testing.T) {
	path := filepath.Join(t.TempDir(), Name)
	write(t, path, 0, 9)
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	sum := func(b []byte) uint32 {
		crc := ^uint32(0)
		for _, c := range b {
			crc ^= uint32(c)
			for range 8 {
				if crc&1 == 1 {
					crc = crc>>1 ^ crc32.Castagnoli
				} else {
					crc >>= 1
				}
			}
		}
		crc = ^crc
		return (crc>>15 | crc<<17) + 0xa282ead8
	}
	records := 0
	for ; len(b) > 0; records++ {
		n := binary.LittleEndian.Uint64(b)
		require.Equal(t, sum(b[:8]), binary.LittleEndian.Uint32(b[8:]))
		data := b[12 : 12+n]
		require.Equal(t, sum(data), binary.LittleEndian.Uint32(b[12+n:]))
		require.Equal(t, byte(0x09), data[0], "the time")
		b = b[16+n:]
		if records == 0 {
			require.Equal(t, start, time.UnixMilli(int64(1000*math.Float64frombits(binary.LittleEndian.Uint64(data[1:])))))
			require.Equal(t, "\x1a\x0dbrain.Event:2", string(data[9:]))
		}
	}
	require.Equal(t, 1+10+5, records)
}

// TestRunsGoOn cuts a file at every byte, and ends the run after every step: a run that goes on ends with the bytes of one that was never interrupted.
func TestRunsGoOn(t *testing.T) {
	dir := t.TempDir()
	whole := filepath.Join(dir, "whole")
	write(t, whole, 0, 4)
	want, err := os.ReadFile(whole)
	require.NoError(t, err)
	path := filepath.Join(dir, Name)
	for step := int64(0); step <= 5; step++ {
		require.NoError(t, os.WriteFile(path, want, 0o666))
		write(t, path, step, 4)
		got, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, want, got, "from step %d", step)
	}
	for cut := range want {
		for _, tail := range []string{"", "\x00\x00\x00", string(make([]byte, 40))} {
			require.NoError(t, os.WriteFile(path, append(want[:cut:cut], tail...), 0o666))
			w, err := open(path, math.MaxInt64, start)
			if err != nil { // zeros within a record, and another record's length of zeros
				require.NotEmpty(t, tail)
				require.ErrorContains(t, err, "checksum")
				continue
			}
			kept := w.log.Size()
			require.NoError(t, w.Close())
			got, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Len(t, got, int(kept))
			require.Equal(t, want[:kept], got, "cut at byte %d", cut)
		}
	}
}

// TestDamage changes each byte of a file. All but changes of the last record are errors that name the file and the place.
func TestDamage(t *testing.T) {
	path := filepath.Join(t.TempDir(), Name)
	write(t, path, 0, 1)
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	w, err := open(path, 0, start)
	require.NoError(t, err)
	first := int(w.log.Size())
	require.NoError(t, w.Close())
	for i := range first {
		damaged := append([]byte(nil), whole...)
		damaged[i] ^= 0x40
		require.NoError(t, os.WriteFile(path, damaged, 0o666))
		_, err := Open(path, 0)
		require.ErrorContains(t, err, path, "byte %d", i)
		require.ErrorContains(t, err, "at byte 0", "byte %d", i)
		after, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, damaged, after)
	}
	for _, tail := range []string{"\x01" + string(make([]byte, 40)), string(make([]byte, 40)) + "\x01"} { // not the zeros that a power failure leaves
		require.NoError(t, os.WriteFile(path, append(whole[:len(whole):len(whole)], tail...), 0o666))
		_, err := Open(path, 9)
		require.ErrorContains(t, err, fmt.Sprintf("the record at byte %d does not have its checksum", len(whole)))
	}
	other := appendRecord(nil, appendEvent(nil, 0, start, nil))
	require.NoError(t, os.WriteFile(path, other, 0o666))
	_, err = Open(path, 1)
	require.ErrorContains(t, err, "does not begin with the version")
	for _, event := range []string{"\x08", "\x10\xff", "\x1a\x05abc", "\x0f", "\x09abc", "\x15a"} {
		require.NoError(t, os.WriteFile(path, appendRecord(nil, []byte(event)), 0o666))
		_, err = Open(path, 1)
		require.ErrorContains(t, err, "is not an event", "%q", event)
	}
}

// TestFullDisk fails a write: what was written before stays, and the next write succeeds.
func TestFullDisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), Name)
	w, err := open(path, 0, start)
	require.NoError(t, err)
	require.NoError(t, w.Add(0, start, Scalar{"a", 1}))
	full := errors.New("no space left on device")
	restore := disk.Inject(func(op disk.Op, _ string) error {
		if op == disk.OpWrite {
			return &disk.Short{Err: full}
		}
		return nil
	})
	err = w.Add(1, start, Scalar{"a", 2})
	restore()
	require.ErrorIs(t, err, full)
	require.NoError(t, w.Add(1, start, Scalar{"a", 2}))
	require.NoError(t, w.Close())
	want := appendRecord(nil, appendVersion(nil, start))
	for i := range int64(2) {
		want = appendRecord(want, appendEvent(nil, i, start, []Scalar{{"a", float64(i + 1)}}))
	}
	got, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, want, got)
}

// FuzzOpen opens files of any bytes: they are refused, or continued.
func FuzzOpen(f *testing.F) {
	f.Add(appendRecord(nil, appendVersion(nil, start)), int64(0))
	f.Add(appendRecord(appendRecord(nil, appendVersion(nil, start)), appendEvent(nil, 3, start, []Scalar{{"a", 1}})), int64(3))
	f.Add([]byte("not an event file"), int64(1))
	f.Fuzz(func(t *testing.T, b []byte, next int64) {
		path := filepath.Join(t.TempDir(), Name)
		require.NoError(t, os.WriteFile(path, b, 0o666))
		w, err := open(path, next, start)
		if err != nil {
			return
		}
		require.NoError(t, w.Add(next, start, Scalar{"a", 1}))
		require.NoError(t, w.Close())
	})
}
