package token

import (
	"sort"
	"sync"
	"unicode/utf8"
)

// Extended grapheme clusters by UAX 29, rules GB3 to GB999. The json form needs them for its character map.

type graphemeClass uint8

const (
	gbOther graphemeClass = iota
	gbControl
	gbExtend     // Extend that also extends an Indic conjunct
	gbExtendOnly // Extend that does not extend an Indic conjunct
	gbLinker     // Extend that joins an Indic conjunct
	gbZWJ
	gbSpacing
	gbPrepend
	gbPict
	gbRegional
	gbConsonant
	gbL
	gbV
	gbT
	gbLV
	gbLVT
)

type graphemeRange struct {
	lo, hi rune
	class  graphemeClass
}

// graphemePages divides the ranges into pages of 128 code points. Equal pages are shared.
type graphemePages struct {
	index [0x110000 >> 7]uint16
	pages [][128]graphemeClass
}

var graphemes = sync.OnceValue(func() *graphemePages {
	p := &graphemePages{pages: make([][128]graphemeClass, 1)}
	seen := map[[128]graphemeClass]uint16{p.pages[0]: 0}
	for i := range p.index {
		lo := rune(i) << 7
		k := sort.Search(len(graphemeRanges), func(k int) bool { return graphemeRanges[k].hi >= lo })
		if k == len(graphemeRanges) || graphemeRanges[k].lo >= lo+128 {
			continue
		}
		var page [128]graphemeClass
		for ; k < len(graphemeRanges) && graphemeRanges[k].lo < lo+128; k++ {
			r := graphemeRanges[k]
			for c := max(r.lo, lo); c <= min(r.hi, lo+127); c++ {
				page[c-lo] = r.class
			}
		}
		n, ok := seen[page]
		if !ok {
			n = uint16(len(p.pages))
			p.pages = append(p.pages, page)
			seen[page] = n
		}
		p.index[i] = n
	}
	return p
})

func (p *graphemePages) class(r rune) graphemeClass {
	switch {
	case r < 0x20 || r == 0x7f:
		return gbControl
	case r < 0x80:
		return gbOther
	case 0xac00 <= r && r <= 0xd7a3:
		if (r-0xac00)%28 == 0 {
			return gbLV
		}
		return gbLVT
	}
	return p.pages[p.index[r>>7]][r&127]
}

// cluster returns the length in bytes of the grapheme cluster at the start of text, which is valid UTF-8 and not empty.
func (p *graphemePages) cluster(text []byte) int {
	r, n := utf8.DecodeRune(text)
	if r == '\r' {
		if n < len(text) && text[n] == '\n' {
			return 2
		}
		return 1
	}
	last := p.class(r)
	pict := last == gbPict          // GB11: a pictograph followed by any number of Extend
	joined := false                 // … and a ZWJ
	conjunct := last == gbConsonant // GB9c: a consonant followed only by conjunct extenders
	linked := false                 // … of which at least one is a linker
	flags := 0
	if last == gbRegional {
		flags = 1
	}
	for n < len(text) {
		r, w := utf8.DecodeRune(text[n:])
		c := p.class(r)
		switch {
		case last == gbControl || c == gbControl:
			return n
		case last == gbL && (c == gbL || c == gbV || c == gbLV || c == gbLVT),
			(last == gbLV || last == gbV) && (c == gbV || c == gbT),
			(last == gbLVT || last == gbT) && c == gbT:
		case c == gbExtend || c == gbExtendOnly || c == gbLinker || c == gbZWJ || c == gbSpacing:
		case last == gbPrepend:
		case conjunct && linked && c == gbConsonant:
		case joined && c == gbPict:
		case last == gbRegional && c == gbRegional && flags%2 == 1:
		default:
			return n
		}
		switch c {
		case gbExtend, gbLinker:
			linked = linked || c == gbLinker
			joined = false
		case gbExtendOnly:
			conjunct, joined = false, false
		case gbZWJ:
			joined, pict = pict, false
		default:
			pict, joined = c == gbPict, false
			conjunct, linked = c == gbConsonant, false
		}
		if c == gbRegional {
			flags++
		} else {
			flags = 0
		}
		last, n = c, n+w
	}
	return n
}
