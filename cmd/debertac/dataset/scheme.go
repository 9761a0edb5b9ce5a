package dataset

import (
	"fmt"
	"slices"
	"strings"

	"github.com/debertac/debertac/runtime/example"
)

// Schemes of tags. A tag is "O", or a prefix, a hyphen and the kind of an entity.
const (
	schemeBIO   = "bio"   // B- begins an entity, I- continues it (IOB2)
	schemeIOB1  = "iob1"  // I- is inside an entity, B- begins one that follows another of its kind at once
	schemeBIOES = "bioes" // E- ends an entity of several words, S- is one of a single word
	schemeBILOU = "bilou" // the same with L- and U-
	schemePlain = "plain" // tags without prefixes, such as parts of speech
)

// SchemeNames returns the names of the schemes of tags that Options can have.
func SchemeNames() []string {
	return []string{schemeBIO, schemeIOB1, schemeBIOES, schemeBILOU, schemePlain}
}

// letters lists the prefixes of the schemes.
var letters = map[string]string{schemeBIO: "BI", schemeIOB1: "BI", schemeBIOES: "BIES", schemeBILOU: "BILU"}

// cut returns the prefix and the kind of a tag; ok is false for a tag that has no prefix. The prefix of "O" is 'O'.
func cut(tag string) (prefix byte, kind string, ok bool) {
	switch {
	case tag == "O":
		return 'O', "", true
	case len(tag) == 0 || strings.IndexByte("BIESLU", tag[0]) < 0:
		return 0, "", false
	case len(tag) == 1:
		return tag[0], "", true
	}
	return tag[0], tag[min(2, len(tag)):], tag[1] == '-'
}

// join returns the tag of a prefix and a kind.
func join(prefix byte, kind string) string {
	if kind == "" {
		return string(prefix)
	}
	return string(prefix) + "-" + kind
}

// plainLetter turns the prefixes of BILOU into those of BIOES.
func plainLetter(prefix byte) byte {
	switch prefix {
	case 'L':
		return 'E'
	case 'U':
		return 'S'
	}
	return prefix
}

// wrong returns the index of the first tag that a scheme forbids, with the reason, or -1 if the scheme allows all.
func wrong(tags []string, scheme string) (int, string) {
	before, kindBefore := byte('O'), ""
	for i, tag := range tags {
		raw, kind, ok := cut(tag)
		if !ok || raw != 'O' && strings.IndexByte(letters[scheme], raw) < 0 {
			return i, fmt.Sprintf("the tag %q is not one of the scheme %s", tag, scheme)
		}
		prefix := plainLetter(raw)
		inside := before == 'B' || before == 'I'
		same := inside && kind == kindBefore
		previous := "the beginning of the sentence"
		if i > 0 {
			previous = fmt.Sprintf("%q", tags[i-1])
		}
		forbidden := false
		switch scheme {
		case schemeBIO:
			forbidden = prefix == 'I' && !same
		case schemeIOB1:
			forbidden = prefix == 'B' && !same
		default:
			needs := prefix == 'I' || prefix == 'E'
			forbidden = needs && !same || !needs && inside
		}
		if forbidden {
			return i, fmt.Sprintf("the tag %q follows %s, which the scheme %s forbids", tag, previous, scheme)
		}
		before, kindBefore = prefix, kind
	}
	if ends := scheme == schemeBIOES || scheme == schemeBILOU; ends && (before == 'B' || before == 'I') {
		return len(tags) - 1, fmt.Sprintf("the tag %q is the last one, which the scheme %s forbids", tags[len(tags)-1], scheme)
	}
	return -1, ""
}

// spans returns the entities of tags as the script conlleval finds them: a tag begins an entity after O, after the end of an entity, and if its kind is
// another than before. For tags that their scheme allows these are the entities.
func spans(tags []string) (all []example.Entity) {
	before, kindBefore := byte('O'), ""
	open := -1
	for i, tag := range tags {
		raw, kind, _ := cut(tag)
		prefix := plainLetter(raw)
		begins := prefix == 'B' || prefix == 'S' || before == 'O' || before == 'E' || before == 'S' || kind != kindBefore
		if open >= 0 && (prefix == 'O' || begins) {
			all = append(all, example.Entity{Label: kindBefore, Start: open, End: i})
			open = -1
		}
		if prefix != 'O' && begins {
			open = i
		}
		before, kindBefore = prefix, kind
	}
	if open >= 0 {
		all = append(all, example.Entity{Label: kindBefore, Start: open, End: len(tags)})
	}
	return all
}

// encode returns the tags of entities of n words in a scheme.
func encode(all []example.Entity, n int, scheme string) []string {
	tags := make([]string, n)
	for i := range tags {
		tags[i] = "O"
	}
	for i, e := range all {
		first, middle, last, single := byte('B'), byte('I'), byte('I'), byte('B')
		switch scheme {
		case schemeBIOES:
			last, single = 'E', 'S'
		case schemeBILOU:
			last, single = 'L', 'U'
		case schemeIOB1:
			if i == 0 || all[i-1].End != e.Start || all[i-1].Label != e.Label {
				first, single = 'I', 'I'
			}
		}
		for j := e.Start; j < e.End; j++ {
			letter := middle
			switch {
			case e.End-e.Start == 1:
				letter = single
			case j == e.Start:
				letter = first
			case j == e.End-1:
				letter = last
			}
			tags[j] = join(letter, e.Label)
		}
	}
	return tags
}

// found finds out the scheme of tags. Without a prefix in any tag, or with a tag that has none, it is schemePlain.
func found(sentences [][]string) string {
	seen := map[byte]bool{}
	for _, tags := range sentences {
		for _, tag := range tags {
			prefix, _, ok := cut(tag)
			if !ok {
				return schemePlain
			}
			seen[prefix] = true
		}
	}
	fits := func(scheme string) bool {
		return !slices.ContainsFunc(sentences, func(tags []string) bool { i, _ := wrong(tags, scheme); return i >= 0 })
	}
	switch {
	case seen['E'] || seen['S']:
		return schemeBIOES
	case seen['L'] || seen['U']:
		return schemeBILOU
	case !fits(schemeBIO) && fits(schemeIOB1):
		return schemeIOB1
	}
	return schemeBIO
}

// tagReader checks and converts the tags that another reader reads.
type tagReader struct {
	reader
	file, unit string
	lines      bool // each word is a line
	o          *Options
	scheme     string // of the file; "": not found out yet
	err        error  // the last result, once it is known
}

// sampled is the number of results by which the scheme of a file is found out.
const sampled = 1000

func (t *tagReader) read(q []result) ([]result, error) {
	if t.err != nil {
		return q, t.err
	}
	from := len(q)
	if t.scheme == "" {
		q, t.err = t.sample(q)
	} else {
		q, t.err = t.reader.read(q)
	}
	for i := from; i < len(q); i++ {
		if e := q[i].example; e != nil && e.Tags != nil {
			if f := t.convert(e); f != nil {
				q[i] = result{fault: f}
			}
		}
	}
	if len(q) > from { // an error comes after what was read before it
		return q, nil
	}
	return q, t.err
}

// sample reads the first results and finds out the scheme.
func (t *tagReader) sample(q []result) (_ []result, err error) {
	if t.scheme = t.o.Scheme; t.scheme != "" {
		return t.reader.read(q)
	}
	for err == nil && len(q) < sampled {
		q, err = t.reader.read(q)
	}
	var sentences [][]string
	for _, r := range q {
		if r.example != nil {
			sentences = append(sentences, r.example.Tags)
		}
	}
	t.scheme = found(sentences)
	return q, err
}

// convert checks the tags of an example and converts them to the scheme that is wanted.
func (t *tagReader) convert(e *example.Example) *RowError {
	want := t.o.WantScheme
	if t.scheme == schemePlain {
		if want != "" && want != schemePlain {
			return t.fault(e, 0, fmt.Sprintf("the tags have no prefixes, so they cannot be converted to the scheme %s", want))
		}
		return nil
	}
	at, why := wrong(e.Tags, t.scheme)
	if at >= 0 {
		if !t.o.Repair {
			return t.fault(e, at, why)
		}
		for i, tag := range e.Tags {
			if _, _, ok := cut(tag); !ok {
				return t.fault(e, i, fmt.Sprintf("the tag %q is not one of the scheme %s", tag, t.scheme))
			}
		}
	}
	switch {
	case want == schemePlain:
		return t.fault(e, 0, "tags with prefixes cannot be converted to the scheme plain")
	case want != "" && want != t.scheme:
		e.Tags = encode(spans(e.Tags), len(e.Tags), want)
	case at >= 0:
		e.Tags = encode(spans(e.Tags), len(e.Tags), t.scheme)
	}
	return nil
}

// fault returns the fault of the tag of a word.
func (t *tagReader) fault(e *example.Example, word int, why string) *RowError {
	f := &RowError{File: t.file, Unit: t.unit, Number: e.At, Reason: why}
	if t.lines {
		f.Number += int64(word)
	} else {
		f.Reason = fmt.Sprintf("word %d: %s", word+1, why)
	}
	return f
}
