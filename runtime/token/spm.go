package token

import (
	"fmt"
	"math"
	"unicode/utf8"
)

// The types of a piece in spm.model.
const (
	pieceNormal      = 1
	pieceUnknown     = 2
	pieceControl     = 3
	pieceUserDefined = 4
	pieceUnused      = 5
	pieceByte        = 6
)

// spmModel holds the contents of spm.model that affect encoding and decoding.
type spmModel struct {
	texts          []string
	scores         []float32
	kinds          []uint8
	fallback       bool
	suffix         bool // a space belongs to the word before it
	unknownSurface string
	charsMap       []byte
	dummyPrefix    bool
	removeExtra    bool
	escape         bool
}

// readSPM reads the message ModelProto.
func readSPM(b []byte) (*spmModel, error) {
	if len(b) == 0 {
		return nil, fmt.Errorf("spm.model is empty")
	}
	s := &spmModel{unknownSurface: " \u2047 ", dummyPrefix: true, removeExtra: true, escape: true}
	m := &message{b: b, name: "model"}
	for {
		f, ok, err := m.next()
		if err != nil {
			return nil, err
		}
		if !ok {
			break
		}
		switch f.number {
		case 1, 2, 3, 4, 5:
			if err := m.want(f, wireBytes); err != nil {
				return nil, err
			}
		}
		switch f.number {
		case 1:
			err = s.readPiece(m.sub(f, fmt.Sprintf("piece %d", len(s.texts))))
		case 2:
			err = s.readTrainer(m.sub(f, "trainer_spec"))
		case 3:
			err = s.readNormalizer(m.sub(f, "normalizer_spec"))
		case 4: // self_test_data: samples of the trainer, which have no effect
		case 5:
			var d spmModel
			sub := m.sub(f, "denormalizer_spec")
			if err = d.readNormalizer(sub); err == nil && len(d.charsMap) > 0 {
				err = sub.errorf("a character map for decoded text is not supported (supported: none)")
			}
		default:
			if f.number < 200 { // 200 and above are reserved for extensions
				err = m.errorf("field %d is unknown (supported: pieces 1, trainer_spec 2, normalizer_spec 3, self_test_data 4, denormalizer_spec 5)", f.number)
			}
		}
		if err != nil {
			return nil, err
		}
	}
	return s, s.check()
}

func (s *spmModel) readPiece(m *message) error {
	text, score, kind := "", float32(0), uint64(pieceNormal)
	for {
		f, ok, err := m.next()
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		switch f.number {
		case 1:
			err, text = m.want(f, wireBytes), string(f.b)
		case 2:
			err, score = m.want(f, wire32), math.Float32frombits(uint32(f.v))
		case 3:
			err, kind = m.want(f, wireVarint), f.v
		default:
			if f.number < 200 {
				err = m.errorf("field %d is unknown (supported: piece 1, score 2, type 3)", f.number)
			}
		}
		if err != nil {
			return err
		}
	}
	switch {
	case text == "" || len(text) > MaxPieceBytes:
		return m.errorf("its text has %d bytes (want 1 to %d)", len(text), MaxPieceBytes)
	case !utf8.ValidString(text):
		return m.errorf("its text %q is not valid UTF-8", text)
	case kind < pieceNormal || kind > pieceByte:
		return m.errorf("its type is %d (want 1 to 6)", kind)
	case !(math.Abs(float64(score)) <= maxScore):
		return m.errorf("its score is %v (want a number of at most %g)", score, float64(maxScore))
	}
	s.texts = append(s.texts, text)
	s.scores = append(s.scores, score)
	s.kinds = append(s.kinds, uint8(kind))
	return nil
}

func (s *spmModel) readTrainer(m *message) error {
	for {
		f, ok, err := m.next()
		if err != nil || !ok {
			return err
		}
		switch f.number {
		case 3:
			if err = m.want(f, wireVarint); err == nil && f.v != 1 {
				err = m.errorf("model_type is %d (supported: 1, unigram; 2 is BPE, 3 word, 4 char)", f.v)
			}
		case 24:
			err, s.suffix = m.want(f, wireVarint), f.v != 0
		case 35:
			err, s.fallback = m.want(f, wireVarint), f.v != 0
		case 44:
			if err, s.unknownSurface = m.want(f, wireBytes), string(f.b); err == nil && !utf8.Valid(f.b) {
				err = m.errorf("unk_surface is not valid UTF-8")
			}
		}
		// The other fields describe how the model was trained and have no effect here.
		if err != nil {
			return err
		}
	}
}

func (s *spmModel) readNormalizer(m *message) error {
	for {
		f, ok, err := m.next()
		if err != nil || !ok {
			return err
		}
		switch f.number {
		case 1, 6: // the rule's name and source
			err = m.want(f, wireBytes)
		case 2:
			err, s.charsMap = m.want(f, wireBytes), f.b
		case 3:
			err, s.dummyPrefix = m.want(f, wireVarint), f.v != 0
		case 4:
			err, s.removeExtra = m.want(f, wireVarint), f.v != 0
		case 5:
			err, s.escape = m.want(f, wireVarint), f.v != 0
		default:
			if f.number < 200 {
				err = m.errorf("field %d is unknown (supported: 1 to 6)", f.number)
			}
		}
		if err != nil {
			return err
		}
	}
}

// check applies the rules that SentencePiece itself applies when it opens a model.
func (s *spmModel) check() error {
	unknown, bytes := -1, map[byte]bool{}
	ordinary, reserved := map[string]int{}, map[string]int{}
	for i, text := range s.texts {
		seen := reserved
		switch s.kinds[i] {
		case pieceNormal, pieceUserDefined, pieceUnused:
			seen = ordinary
		case pieceUnknown:
			if unknown >= 0 {
				return fmt.Errorf("spm.model: pieces %d and %d are both of type unknown (want one)", unknown, i)
			}
			unknown = i
		case pieceByte:
			b, ok := byteOfPiece(text)
			if !ok {
				return fmt.Errorf("spm.model: byte piece %d is called %q (want <0x00> to <0xFF>)", i, text)
			}
			if !s.fallback {
				return fmt.Errorf("spm.model: piece %d is a byte piece, but trainer_spec.byte_fallback is off", i)
			}
			bytes[b] = true
		}
		if j, ok := seen[text]; ok {
			return fmt.Errorf("spm.model: pieces %d and %d are both %q", j, i, text)
		}
		seen[text] = i
	}
	if unknown < 0 {
		return fmt.Errorf("spm.model: %d pieces, none of type unknown (is this a SentencePiece model?)", len(s.texts))
	}
	if s.fallback && len(bytes) != 256 {
		return fmt.Errorf("spm.model: byte_fallback is on, but there are %d byte pieces (want 256)", len(bytes))
	}
	return nil
}
