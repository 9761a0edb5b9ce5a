package ragged

import (
	"reflect"
	"strconv"
	"unsafe"
)

// Content tells what the numbers of a part mean. It decides what happens to them when sequences are
// put together and taken apart.
type Content uint8

// The contents.
const (
	Values    Content = iota // numbers that mean the same in every batch
	TokenRows                // token rows, which are counted from the start of the batch
	Firsts                   // index of the first entry of each sequence in another part, then the number of its entries
)

// ByLimit is the number of columns of a part whose limit is its number of columns.
const ByLimit = -1

// PartRow describes a part of a batch. Fields describe what all parts have: a length, a way to put
// it together from sequences, names in files and programs. Functions do what differs from part to
// part.
type PartRow struct {
	Name     string // name of its tensor in a file that holds a batch
	Operand  string // name of the input in the text of programs; "": Name
	Field    string // field of Batch. A Sequence has a field of the same name if texts can lead to the part
	What     string // what an entry is, in the plural
	Each     Extent // the part has one entry for each unit of this extent
	Plus     int    // further entries
	Columns  int    // numbers per entry; 0: one, without a dimension of their own
	Holds    Content
	Of       Part   // for Firsts: the part whose entries they divide
	Limit    string // field of Limits that decides whether models read the part; "": all models do
	Optional bool   // may be empty although the model reads it
	Absent   string // error for a part that the model does not read
	Neutral  int    // the number that makes no difference to results
	Needs    string // start of the error for a wrong number of entries; "": the message that all parts share

	// check returns an error if the part's values are wrong. Its length is right, and so are the
	// parts before it and all Firsts. check may use the batch's fields, not the tables.
	check func(b *Batch, l Limits) error
	// fill appends what FillNeeded adds for a sequence. If it is nil, a part that is not optional
	// gets neutral numbers. fill may use the batch's fields, not the tables.
	fill     func(dst []int32, b *Batch, s int, l Limits) []int32
	follows  bool    // Append adds what fill does, because the part follows from others
	at       uintptr // place in Batch
	floats   bool    // the field is a []float32, not an []int32
	limitAt  uintptr // place in Limits, if Limit is set
	flag     bool    // that field is a bool, not an int
	inSeq    uintptr // place in Sequence, if hasSeq
	hasSeq   bool
	isNumber bool // that field is one number, not a slice
}

func init() {
	batch, limits, sequence := reflect.TypeFor[Batch](), reflect.TypeFor[Limits](), reflect.TypeFor[Sequence]()
	for p := range parts {
		r := &parts[p]
		f, ok := field(batch, r.Field)
		if !ok {
			panic("ragged: Batch has no field " + r.Field)
		}
		r.at, r.floats = f.Offset, f.Type == reflect.TypeFor[[]float32]()
		if !r.floats && f.Type != reflect.TypeFor[[]int32]() {
			panic("ragged: Batch." + r.Field + " is neither []int32 nor []float32")
		}
		if r.Limit != "" {
			l, ok := field(limits, r.Limit)
			if !ok || l.Type.Kind() != reflect.Bool && l.Type.Kind() != reflect.Int {
				panic("ragged: Limits has no bool or int " + r.Limit)
			}
			r.limitAt, r.flag = l.Offset, l.Type.Kind() == reflect.Bool
		}
		if q, ok := field(sequence, r.Field); ok {
			r.inSeq, r.hasSeq, r.isNumber = q.Offset, true, q.Type.Kind() != reflect.Slice
			if q.Type != f.Type && (!r.isNumber || q.Type != f.Type.Elem()) {
				panic("ragged: Sequence." + r.Field + " does not fit Batch." + r.Field)
			}
		}
		if r.Operand == "" {
			r.Operand = r.Name
		}
		switch e := &extents[r.Each]; {
		case e.size != nil:
			panic("ragged: " + r.Field + " has an entry for each " + e.One + ", which no part counts")
		case r.Holds == Firsts:
			e := &extents[parts[r.Of].Each]
			e.cut, e.cuts = Part(p), true
		}
	}
}

// field returns a field of a struct. It replaces reflect.Type.FieldByName, which also searches embedded structs and would add that code to
// every program.
func field(t reflect.Type, name string) (f reflect.StructField, ok bool) {
	for i := range t.NumField() {
		if f := t.Field(i); f.Name == name {
			return f, true
		}
	}
	return f, false
}

// Row returns the part's row of the table. It must be a part.
func (p Part) Row() *PartRow { return &parts[p] }

// Floats reports whether the part's numbers are float32; otherwise they are int32.
func (r *PartRow) Floats() bool { return r.floats }

// Shape returns the part's numbers as a shape in one dimension: [T], [B+1], [2·W].
func (r *PartRow) Shape() string {
	s := extents[r.Each].Symbol
	switch {
	case r.Plus != 0:
		s += "+" + strconv.Itoa(r.Plus)
	case r.Columns == ByLimit:
		s += "·H"
	case r.Columns != 0:
		s = strconv.Itoa(r.Columns) + "·" + s
	}
	return "[" + s + "]"
}

// Ints returns the part of a batch, whose numbers must be int32.
func (p Part) Ints(b *Batch) *[]int32 { return parts[p].ints(b) }

// Float32s returns the part of a batch, whose numbers must be float32.
func (p Part) Float32s(b *Batch) *[]float32 { return parts[p].float32s(b) }

// Len returns the length of the part in numbers, not in entries.
func (p Part) Len(b *Batch) int { return parts[p].len(b) }

func (r *PartRow) ints(b *Batch) *[]int32 { return (*[]int32)(unsafe.Add(unsafe.Pointer(b), r.at)) }

func (r *PartRow) float32s(b *Batch) *[]float32 {
	return (*[]float32)(unsafe.Add(unsafe.Pointer(b), r.at))
}

func (r *PartRow) len(b *Batch) int {
	if r.floats {
		return len(*r.float32s(b))
	}
	return len(*r.ints(b))
}

// counts reports whether the part's own entries are what its extent counts.
func (r *PartRow) counts() bool { return r.Holds != Firsts && &parts[extents[r.Each].by] == r }

// entries returns the number of entries of a part whose number of columns is fixed, without the
// further entries of Plus.
func (r *PartRow) entries(b *Batch) int { return max(0, r.len(b)/max(1, r.Columns)-r.Plus) }

// columns returns the numbers per entry in a model with these limits.
func (r *PartRow) columns(l *Limits) int {
	if r.Columns == ByLimit {
		return r.limit(l)
	}
	return max(1, r.Columns)
}

// limit returns the part's limit: 0 if the model does not read it, 1 if there is no other number.
func (r *PartRow) limit(l *Limits) int {
	switch {
	case r.Limit == "":
		return 1
	case !r.flag:
		return *(*int)(unsafe.Add(unsafe.Pointer(l), r.limitAt))
	case *(*bool)(unsafe.Add(unsafe.Pointer(l), r.limitAt)):
		return 1
	}
	return 0
}

// ReadBy reports whether a model with these limits reads the part.
func (p Part) ReadBy(l Limits) bool { return parts[p].limit(&l) != 0 }

// Read sets the limit of a part that a model reads: a flag, or for a part whose limit is its number
// of columns, columns. It leaves limits that count something else as they are.
func (p Part) Read(l *Limits, columns int) {
	switch r := &parts[p]; {
	case r.Limit == "":
	case r.flag:
		*(*bool)(unsafe.Add(unsafe.Pointer(l), r.limitAt)) = true
	case r.Columns == ByLimit:
		*(*int)(unsafe.Add(unsafe.Pointer(l), r.limitAt)) = columns
	}
}

// inSequence returns the part of a sequence that has such a field: a slice, or one number as a slice.
func inSequence[E int32 | float32](r *PartRow, s *Sequence) []E {
	at := unsafe.Add(unsafe.Pointer(s), r.inSeq)
	if r.isNumber {
		return unsafe.Slice((*E)(at), 1)
	}
	return *(*[]E)(at)
}
