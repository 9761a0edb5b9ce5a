package token

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
)

// modelMaker makes a word model once it is known which pieces are names of special tokens.
type modelMaker func(special func(id int32) bool) (wordModel, error)

// readModel reads the member model and its vocabulary. Another kind of model needs another case here.
func readModel(n jnode, v *vocabulary) (modelMaker, error) {
	all, _, err := n.members()
	if err != nil {
		return nil, err
	}
	kinds := []string{"Unigram", "BPE", "WordPiece"}
	kind := 0
	if k, ok := all["type"]; ok {
		if kind, err = k.one(kinds...); err != nil {
			return nil, err
		}
	} else {
		// Early files leave out the type. The other members then decide.
		switch _, merges := all["merges"]; {
		case merges:
			kind = 1
		case !all["vocab"].null() && all["vocab"].raw[0] == '{':
			if _, ok := all["max_input_chars_per_word"]; !ok {
				return nil, n.at("type").errorf("missing, and neither merges nor max_input_chars_per_word is there to tell the kind of model")
			}
			kind = 2
		}
	}
	switch kinds[kind] {
	case "BPE":
		return readBPE(n, v)
	case "WordPiece":
		return readWordPiece(n, v)
	}
	return readUnigram(n, v)
}

func readUnigram(n jnode, v *vocabulary) (modelMaker, error) {
	all, err := n.object("type", "unk_id", "vocab", "byte_fallback")
	if err != nil {
		return nil, err
	}
	var rows []vocabRow
	if err := json.Unmarshal(all["vocab"].raw, &rows); err != nil || all["vocab"].null() {
		return nil, all["vocab"].errorf("want an array of [piece, score] (%v)", err)
	}
	if len(rows) > maxID {
		return nil, all["vocab"].errorf("%d pieces (at most %d)", len(rows), maxID)
	}
	texts := make([]string, len(rows))
	scores := make([]float64, len(rows))
	for i, r := range rows {
		if r.text == "" || len(r.text) > MaxPieceBytes || !(math.Abs(r.score) <= maxScore) {
			return nil, fmt.Errorf("%s[%d]: a piece of %d bytes with score %v (want 1 to %d bytes, and a score of at most %g)", all["vocab"].path, i,
				len(r.text), r.score, MaxPieceBytes, float64(maxScore))
		}
		texts[i], scores[i] = r.text, r.score
	}
	*v = newVocabulary(texts)
	unknown, err := all["unk_id"].integer(max(len(rows), 1))
	if err != nil {
		return nil, err
	}
	fallback, err := all["byte_fallback"].flag(false)
	if err != nil {
		return nil, err
	}
	return func(special func(id int32) bool) (wordModel, error) {
		u, err := newUnigram(v, scores, nil, special)
		if err != nil {
			return nil, err
		}
		u.unknown, u.penalty = int32(unknown), slices.Min(scores)-unknownPenalty
		if fallback {
			u.setFallback(v)
		}
		return u, nil
	}, nil
}

// vocabRow is [piece, score].
type vocabRow struct {
	text  string
	score float64
}

// UnmarshalJSON reads exactly one string and one number.
func (r *vocabRow) UnmarshalJSON(b []byte) error {
	var parts []json.RawMessage
	if err := json.Unmarshal(b, &parts); err != nil || len(parts) != 2 {
		return fmt.Errorf("a row is not [piece, score]: %.60s", b)
	}
	if parts[0][0] != '"' || json.Unmarshal(parts[0], &r.text) != nil || parts[1][0] == 'n' || json.Unmarshal(parts[1], &r.score) != nil {
		return fmt.Errorf("a row is not [piece, score]: %.60s", b)
	}
	r.score = readScore(parts[1])
	return nil
}

// readScore reads a JSON number as the reference does: up to 19 digits as an integer, multiplied or divided by one power of ten. So the result can differ from
// the nearest float64 in the last bit. This bit decides between segmentations whose costs are otherwise equal.
func readScore(b []byte) float64 {
	digits, power, point, full := uint64(0), 0, false, false
	i := 0
	if b[0] == '-' {
		i = 1
	}
	for ; i < len(b); i++ {
		if b[i] == '.' {
			point, full = true, false
			continue
		}
		if b[i] == 'e' || b[i] == 'E' {
			break
		}
		d := uint64(b[i] - '0')
		if full = full || digits > (math.MaxUint64-d)/10; !full {
			digits = digits*10 + d
		}
		if full && !point {
			power++
		} else if !full && point {
			power--
		}
	}
	if i < len(b) {
		e, err := strconv.Atoi(string(b[i+1:]))
		if err != nil {
			e = math.MaxInt32
			if b[i+1] == '-' {
				e = -e
			}
		}
		power += e
	}
	v := float64(digits)
	switch {
	case v == 0:
	case power >= 0:
		v *= math.Pow10(power)
	default:
		for ; power < -308 && v != 0; power += 308 {
			v /= 1e308
		}
		v /= math.Pow10(-power)
	}
	if b[0] == '-' {
		v = -v
	}
	return v
}

// maxHoles is the largest number of ids that a vocabulary may leave out.
const maxHoles = 1 << 16

// ids reads an object from pieces to ids and returns the pieces by id. An id without a piece is "".
func (n jnode) ids() (texts []string, byText map[string]int32, err error) {
	all := map[string]json.Number{}
	order, err := n.eachMember(func(k string, raw json.RawMessage) error {
		var id json.Number
		if raw[0] == '"' || json.Unmarshal(raw, &id) != nil {
			return n.errorf("the id of %q is %.40s (want a whole number)", k, raw)
		}
		if _, ok := all[k]; ok {
			return n.errorf("piece %q is given twice", k)
		}
		all[k] = id
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	byText = make(map[string]int32, len(all))
	limit := min(int64(len(all)+maxHoles), maxID)
	for _, k := range order {
		id, err := all[k].Int64()
		switch {
		case err != nil || id < 0 || id > limit:
			return nil, nil, n.errorf("piece %q has id %s (want a whole number from 0 to %d)", k, all[k], limit)
		case k == "" || len(k) > MaxPieceBytes:
			return nil, nil, n.errorf("the piece of id %d has %d bytes (want 1 to %d)", id, len(k), MaxPieceBytes)
		}
		for int64(len(texts)) <= id {
			texts = append(texts, "")
		}
		if texts[id] != "" {
			return nil, nil, n.errorf("pieces %q and %q both have id %d", texts[id], k, id)
		}
		texts[id], byText[k] = k, int32(id)
	}
	if len(texts) == 0 {
		return nil, nil, n.errorf("want an object from pieces to ids, with at least one")
	}
	return texts, byText, nil
}

func readWordPiece(n jnode, v *vocabulary) (modelMaker, error) {
	all, err := n.object("type", "unk_token", "continuing_subword_prefix", "max_input_chars_per_word", "vocab")
	if err != nil {
		return nil, err
	}
	texts, byText, err := all["vocab"].ids()
	if err != nil {
		return nil, err
	}
	unknown, prefix, limit := "[UNK]", "##", 100
	if k := all["unk_token"]; !k.null() {
		if unknown, err = k.str(); err != nil {
			return nil, err
		}
	}
	if k := all["continuing_subword_prefix"]; !k.null() {
		if prefix, err = k.str(); err != nil {
			return nil, err
		}
	}
	if k := all["max_input_chars_per_word"]; !k.null() {
		if limit, err = k.integer(math.MaxInt32); err != nil {
			return nil, err
		}
	}
	id, ok := byText[unknown]
	if !ok {
		return nil, all["unk_token"].errorf("%q is not in the vocabulary", unknown)
	}
	*v = newVocabulary(texts)
	return func(special func(id int32) bool) (wordModel, error) {
		m, err := newWordPiece(v, prefix, special)
		if err != nil {
			return nil, err
		}
		m.unknown, m.limit = id, int32(limit)
		return m, nil
	}, nil
}
