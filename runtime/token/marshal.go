package token

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"unicode/utf8"
	"unsafe"
)

// The flat form of a tokenizer, all numbers little endian:
//
//	0   magic, 8 bytes
//	8   CRC-32C of everything from byte 16 on
//	12  number of sections
//	16  one row per section: kind, 0 (uint32), offset, length in bytes (uint64)
//	    the sections in the table's order, each at the next multiple of 16, zeros between
//
// The sections are arrays that are used where they lie.
const (
	flatMagic = "DBTCTOK1"
	flatAlign = 16
	flatRow   = 24
)

const (
	sectionRecipe  = 1 + iota // JSON, see recipe
	sectionPieces             // the texts of the pieces, concatenated
	sectionEnds               // uint32: 0, then the end of each text
	sectionScores             // one float64 per piece
	sectionTrie               // uint64
	sectionKinds              // only in SentencePiece's form: one byte per piece
	sectionMap                // uint32: the array of a character map; any number of these sections …
	sectionMapText            // … each followed by the map's texts
	sectionMerges             // only for byte-level BPE: uint64, see mergeTable
	sectionRest               // only for WordPiece: uint64, the trie of pieces that continue words
)

// recipe holds everything that is small.
type recipe struct {
	SPM      *spmRecipe `json:",omitempty"`
	JSON     *jsonSource
	Added    []AddedToken
	IDs      SpecialIDs
	Notes    []string
	Unknown  int32
	Penalty  float64
	Fallback bool
	Bytes    []int32
	Single   bool
	// One of these is set unless the model is unigram.
	BPE       *bpeRecipe       `json:",omitempty"`
	WordPiece *wordPieceRecipe `json:",omitempty"`
	Files     string           `json:",omitempty"`
	Lower     bool             `json:",omitempty"` // texts are lower-cased first, see LowerTexts
	NoTypes   bool             `json:",omitempty"`
}

type bpeRecipe struct{ Fuse bool }

type wordPieceRecipe struct {
	Limit  int32
	Prefix string
}

type spmRecipe struct {
	DummyPrefix, RemoveExtra, Escape, Suffix, Lower, Punct bool
	Surface                                                string
}

// flat holds the sections from which a block is made.
type flat struct {
	kinds []uint32
	data  [][]byte
}

func (f *flat) add(kind uint32, b []byte) { f.kinds, f.data = append(f.kinds, kind), append(f.data, b) }

func (m *unigram) pack(r *recipe, f *flat) {
	r.Unknown, r.Penalty, r.Fallback, r.Bytes, r.Single = m.unknown, m.penalty, m.fallback, m.bytes[:], m.single
	f.add(sectionScores, flatScores(m.scores))
	f.add(sectionTrie, flat64(m.pieces))
}

func (m *bpe) pack(r *recipe, f *flat) {
	r.Unknown, r.Bytes, r.BPE = m.unknown, m.bytes[:], &bpeRecipe{m.fuse}
	f.add(sectionTrie, flat64(m.whole))
	f.add(sectionMerges, flat64(m.merges))
}

func (m *wordPiece) pack(r *recipe, f *flat) {
	r.Unknown, r.WordPiece = m.unknown, &wordPieceRecipe{m.limit, m.prefix}
	f.add(sectionTrie, flat64(m.first))
	f.add(sectionRest, flat64(m.rest))
}

// Marshal writes the tokenizer as one block of bytes for Unmarshal. The same tokenizer always has the same bytes.
func (t *Tokenizer) Marshal() ([]byte, error) {
	r := recipe{Added: t.added, IDs: t.ids, Notes: t.notes, Files: t.files, Lower: t.lowerTexts, NoTypes: t.noTypes}
	var parts flat
	t.model.pack(&r, &parts)
	maps := t.source.maps
	if f := t.spm; f != nil {
		n := &f.norm
		r.SPM = &spmRecipe{n.dummyPrefix, n.removeExtra, n.escape, n.suffix, f.lower, f.punct, f.surface}
		maps = []*charsMap{n.chars}
	} else {
		r.JSON = &t.source
	}
	text, err := json.Marshal(&r)
	if err != nil {
		return nil, err
	}
	kinds := append([]uint32{sectionRecipe, sectionPieces, sectionEnds}, parts.kinds...)
	data := append([][]byte{text, []byte(t.vocab.blob), flat32(t.vocab.ends)}, parts.data...)
	if t.spm != nil {
		kinds, data = append(kinds, sectionKinds), append(data, t.spm.kinds)
	}
	for _, c := range maps {
		kinds, data = append(kinds, sectionMap, sectionMapText), append(data, flat32(c.units), []byte(c.texts))
	}
	le := binary.LittleEndian
	b := append([]byte(flatMagic), 0, 0, 0, 0)
	b = le.AppendUint32(b, uint32(len(kinds)))
	at := align(len(b) + flatRow*len(kinds))
	for i, k := range kinds {
		b = le.AppendUint32(b, k)
		b = le.AppendUint32(b, 0)
		b = le.AppendUint64(b, uint64(at))
		b = le.AppendUint64(b, uint64(len(data[i])))
		at = align(at + len(data[i]))
	}
	for _, d := range data {
		b = append(b, make([]byte, align(len(b))-len(b))...)
		b = append(b, d...)
	}
	b = append(b, make([]byte, align(len(b))-len(b))...)
	le.PutUint32(b[8:], crc32.Checksum(b[16:], castagnoli))
	return b, nil
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func align(n int) int { return (n + flatAlign - 1) &^ (flatAlign - 1) }

func flat32(v []uint32) []byte {
	b := make([]byte, 0, 4*len(v))
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, x)
	}
	return b
}

func flat64(v []uint64) []byte {
	b := make([]byte, 0, 8*len(v))
	for _, x := range v {
		b = binary.LittleEndian.AppendUint64(b, x)
	}
	return b
}

func flatScores(v []float64) []byte {
	b := make([]byte, 0, 8*len(v))
	for _, x := range v {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(x))
	}
	return b
}

var littleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

// numbers returns b as an array of little-endian numbers: in place if the machine's byte order and the address of b
// allow it, else as a copy.
func numbers[T uint32 | uint64 | float64](b []byte) ([]T, error) {
	var zero T
	size := int(unsafe.Sizeof(zero))
	if len(b)%size != 0 {
		return nil, fmt.Errorf("a section of %d bytes holds numbers of %d", len(b), size)
	}
	n := len(b) / size
	if n == 0 {
		return nil, nil
	}
	p := unsafe.SliceData(b)
	if littleEndian && uintptr(unsafe.Pointer(p))%unsafe.Alignof(zero) == 0 {
		return unsafe.Slice((*T)(unsafe.Pointer(p)), n), nil
	}
	out := make([]T, n)
	return out, binary.Read(bytes.NewReader(b), binary.LittleEndian, out)
}

// Unmarshal opens what Marshal wrote. The tokenizer uses b in place: b must not change while the tokenizer is in use,
// and must stay mapped if it is a mapped file. Any damage is an error.
func Unmarshal(b []byte) (*Tokenizer, error) {
	t, err := unmarshal(b)
	if err != nil {
		return nil, fmt.Errorf("packed tokenizer: %w", err)
	}
	return t, nil
}

// sections reads the table. Every byte of b must belong to the header, to one section or to the zeros between
// sections.
func sections(b []byte) (kinds []uint32, data [][]byte, err error) {
	le := binary.LittleEndian
	if len(b) < 16 || string(b[:8]) != flatMagic {
		return nil, nil, errors.New("it does not begin with " + flatMagic + " (is it one, of this version?)")
	}
	if sum := crc32.Checksum(b[16:], castagnoli); sum != le.Uint32(b[8:]) {
		return nil, nil, fmt.Errorf("its checksum is %08x, not %08x: it is damaged or cut short", sum, le.Uint32(b[8:]))
	}
	n := int64(le.Uint32(b[12:]))
	if n > int64(len(b)/flatRow) {
		return nil, nil, fmt.Errorf("its header lists %d sections, but it has only %d bytes", n, len(b))
	}
	at := align(16 + flatRow*int(n))
	for i := range int(n) {
		if 16+flatRow*(i+1) > len(b) {
			return nil, nil, errors.New("its table of sections is cut short")
		}
		row := b[16+flatRow*i:]
		off, size := le.Uint64(row[8:]), le.Uint64(row[16:])
		if off != uint64(at) || off > uint64(len(b)) || size > uint64(len(b))-off || le.Uint32(row[4:]) != 0 {
			return nil, nil, fmt.Errorf("section %d is at %d with %d bytes (want %d, and at most %d bytes in all)", i, off, size, at, len(b))
		}
		kinds, data = append(kinds, le.Uint32(row)), append(data, b[off:off+size:off+size])
		at = align(at + int(size))
	}
	if at != len(b) {
		return nil, nil, fmt.Errorf("its sections end at %d, but it has %d bytes", at, len(b))
	}
	return kinds, data, nil
}

func unmarshal(b []byte) (*Tokenizer, error) {
	kinds, data, err := sections(b)
	if err != nil {
		return nil, err
	}
	one := map[uint32][]byte{}
	var maps []*charsMap
	for i, k := range kinds {
		_, twice := one[k]
		switch {
		case k == sectionMap && i+1 < len(kinds) && kinds[i+1] == sectionMapText:
			units, err := numbers[uint32](data[i])
			if err != nil {
				return nil, err
			}
			c, err := newCharsMap(units, bytesView(data[i+1]))
			if err != nil {
				return nil, err
			}
			maps = append(maps, c)
		case k == sectionMapText && i > 0 && kinds[i-1] == sectionMap:
		case (k >= sectionRecipe && k <= sectionKinds || k == sectionMerges || k == sectionRest) && !twice:
			one[k] = data[i]
		default:
			return nil, fmt.Errorf("section %d of kind %d is unknown, repeated or out of place", i, k)
		}
	}
	var r recipe
	d := json.NewDecoder(bytes.NewReader(one[sectionRecipe]))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		return nil, fmt.Errorf("its recipe: %w", err)
	}
	if (r.SPM == nil) == (r.JSON == nil) || r.BPE != nil && r.WordPiece != nil || r.SPM != nil && (r.BPE != nil ||
		r.WordPiece != nil) || (len(r.Bytes) != 256) == (r.WordPiece == nil) {
		return nil, errors.New("its recipe is not complete")
	}
	t := &Tokenizer{notes: r.Notes, ids: r.IDs, files: r.Files, lowerTexts: r.Lower, noTypes: r.NoTypes, vocab: vocabulary{blob: bytesView(one[sectionPieces])}}
	if t.vocab.ends, err = numbers[uint32](one[sectionEnds]); err != nil {
		return nil, err
	}
	if t.model, err = unpackModel(&r, one); err != nil {
		return nil, err
	}
	if err := t.vocab.check(r.BPE != nil || r.WordPiece != nil); err != nil {
		return nil, err
	}
	if err := t.model.check(t.vocab.size()); err != nil {
		return nil, err
	}
	if err := t.setAdded(r.Added); err != nil {
		return nil, err
	}
	for _, id := range []int32{r.IDs.CLS, r.IDs.SEP, r.IDs.PAD, r.IDs.MASK, r.IDs.UNK} {
		if id < -1 || int(id) >= t.size {
			return nil, fmt.Errorf("a special token has id %d of %d", id, t.size)
		}
	}
	if r.SPM != nil {
		return t, t.unmarshalSPM(r.SPM, t.model.(*unigram), one[sectionKinds], maps)
	}
	t.source = *r.JSON
	t.source.maps = maps
	return t, t.finishJSON()
}

// unpackModel opens the word model; its method check later checks its numbers.
func unpackModel(r *recipe, one map[uint32][]byte) (wordModel, error) {
	units, err := numbers[uint64](one[sectionTrie])
	if err != nil {
		return nil, err
	}
	var own uint32 // the section that only this kind of model has
	var model wordModel
	switch {
	case r.BPE != nil:
		m := &bpe{whole: units, unknown: r.Unknown, fuse: r.BPE.Fuse}
		copy(m.bytes[:], r.Bytes)
		model, own = m, sectionMerges
		m.merges, err = numbers[uint64](one[sectionMerges])
	case r.WordPiece != nil:
		m := &wordPiece{first: units, unknown: r.Unknown, limit: r.WordPiece.Limit, prefix: r.WordPiece.Prefix}
		model, own = m, sectionRest
		m.rest, err = numbers[uint64](one[sectionRest])
	default:
		m := &unigram{pieces: units, unknown: r.Unknown, penalty: r.Penalty, fallback: r.Fallback, single: r.Single}
		copy(m.bytes[:], r.Bytes)
		model, own = m, sectionScores
		m.scores, err = numbers[float64](one[sectionScores])
	}
	if err != nil {
		return nil, err
	}
	for _, k := range []uint32{sectionScores, sectionMerges, sectionRest} {
		if _, ok := one[k]; ok != (k == own) {
			return nil, fmt.Errorf("a section of kind %d: %v, in a %s tokenizer", k, ok, model.kind())
		}
	}
	return model, nil
}

func (t *Tokenizer) unmarshalSPM(r *spmRecipe, m *unigram, kinds []byte, maps []*charsMap) error {
	if len(maps) != 1 || len(kinds) != t.vocab.size() || !utf8.ValidString(r.Surface) {
		return fmt.Errorf("%d character maps, %d piece types for %d pieces (want 1, and as many)", len(maps), len(kinds), t.vocab.size())
	}
	for i, k := range kinds {
		_, named := byteOfPiece(t.vocab.text(int32(i)))
		if k < pieceNormal || k > pieceByte || k == pieceByte && !named {
			return fmt.Errorf("piece %d has type %d", i, k)
		}
	}
	if m.fallback {
		for b, id := range m.bytes {
			if id < 0 {
				return fmt.Errorf("byte fallback without a piece for byte %d", b)
			}
		}
	}
	t.spm = &spmForm{model: m, kinds: kinds, surface: r.Surface, lower: r.Lower, punct: r.Punct}
	t.spm.norm = spmNormalizer{chars: maps[0], dummyPrefix: r.DummyPrefix, removeExtra: r.RemoveExtra, escape: r.Escape, suffix: r.Suffix}
	t.template = plainTemplate()
	if t.ids.CLS >= 0 && t.ids.SEP >= 0 {
		t.template = pairTemplate(t.ids.CLS, t.ids.SEP)
	}
	return t.finishSPM()
}
