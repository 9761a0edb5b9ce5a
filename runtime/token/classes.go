package token

import (
	"sync"
	"unicode"
)

// charClass is a set of properties of a character that the rules for cutting and cleaning texts use, one bit per
// property.
type charClass uint8

const (
	classLetter    charClass = 1 << iota // \p{L} of Unicode 16
	classNumber                          // \p{N} of Unicode 16
	classSpace                           // White_Space
	classControl                         // what BERT removes: Cc except tab and line ends, Cf, Co, U+0000 and U+FFFD
	classPunct                           // ASCII punctuation and symbols, and the categories P of Unicode 7
	classIdeograph                       // BERT's blocks of Chinese characters
	classAccent                          // Mn, by the older tables of BERT's reference
	classMark                            // M, by the older tables of the reference's own accent stripper
)

// The references were built with Unicode tables of different versions, which differ from the standard library's. The
// tables below are these differences, found by asking the references about every code point.
var (
	lateLetters = &unicode.RangeTable{
		R16: []unicode.Range16{{0x1c89, 0x1c8a, 1}, {0xa7cb, 0xa7cd, 1}, {0xa7da, 0xa7dc, 1}},
		R32: []unicode.Range32{
			{0x105c0, 0x105f3, 1}, {0x10d4a, 0x10d65, 1}, {0x10d6f, 0x10d85, 1}, {0x10ec2, 0x10ec4, 1}, {0x11380, 0x11389, 1},
			{0x1138b, 0x1138b, 1}, {0x1138e, 0x1138e, 1}, {0x11390, 0x113b5, 1}, {0x113b7, 0x113b7, 1}, {0x113d1, 0x113d1, 1},
			{0x113d3, 0x113d3, 1}, {0x11bc0, 0x11be0, 1}, {0x13460, 0x143fa, 1}, {0x16100, 0x1611d, 1}, {0x16d40, 0x16d6c, 1},
			{0x18cff, 0x18cff, 1}, {0x1e5d0, 0x1e5ed, 1}, {0x1e5f0, 0x1e5f0, 1}, {0x2ebf0, 0x2ee5d, 1},
		},
	}
	lateNumbers = &unicode.RangeTable{
		R32: []unicode.Range32{
			{0x10d40, 0x10d49, 1}, {0x116d0, 0x116e3, 1}, {0x11bf0, 0x11bf9, 1}, {0x16130, 0x16139, 1}, {0x16d70, 0x16d79, 1},
			{0x1ccf0, 0x1ccf9, 1}, {0x1e5f1, 0x1e5fa, 1},
		},
	}
	laterFormats = &unicode.RangeTable{
		R16: []unicode.Range16{{0x890, 0x891, 1}, {0x8e2, 0x8e2, 1}},
		R32: []unicode.Range32{{0x110cd, 0x110cd, 1}, {0x13430, 0x1343f, 1}},
	}
	ideographs = &unicode.RangeTable{
		R16: []unicode.Range16{{0x3400, 0x4dbf, 1}, {0x4e00, 0x9fff, 1}, {0xf900, 0xfaff, 1}},
		R32: []unicode.Range32{{0x20000, 0x2a6df, 1}, {0x2a700, 0x2b81f, 1}, {0x2b920, 0x2ceaf, 1}, {0x2f800, 0x2fa1f, 1}},
	}
	laterAccents = &unicode.RangeTable{
		R16: []unicode.Range16{
			{0x7fd, 0x7fd, 1}, {0x898, 0x89f, 1}, {0x8ca, 0x8e1, 1}, {0x9fe, 0x9fe, 1}, {0xafa, 0xaff, 1}, {0xb55, 0xb55, 1},
			{0xc04, 0xc04, 1}, {0xc3c, 0xc3c, 1}, {0xd00, 0xd00, 1}, {0xd3b, 0xd3c, 1}, {0xd81, 0xd81, 1}, {0xeba, 0xeba, 1},
			{0xece, 0xece, 1}, {0x180f, 0x180f, 1}, {0x1885, 0x1886, 1}, {0x1abf, 0x1ace, 1}, {0x1df6, 0x1dfb, 1}, {0xa82c, 0xa82c, 1},
			{0xa8c5, 0xa8c5, 1}, {0xa8ff, 0xa8ff, 1}, {0xa9bd, 0xa9bd, 1},
		},
		R32: []unicode.Range32{
			{0x10d24, 0x10d27, 1}, {0x10eab, 0x10eac, 1}, {0x10efd, 0x10eff, 1}, {0x10f46, 0x10f50, 1}, {0x10f82, 0x10f85, 1},
			{0x11070, 0x11070, 1}, {0x11073, 0x11074, 1}, {0x110c2, 0x110c2, 1}, {0x111c9, 0x111c9, 1}, {0x111cf, 0x111cf, 1},
			{0x1123e, 0x1123e, 1}, {0x11241, 0x11241, 1}, {0x1133b, 0x1133b, 1}, {0x11438, 0x1143f, 1}, {0x11442, 0x11444, 1},
			{0x11446, 0x11446, 1}, {0x1145e, 0x1145e, 1}, {0x1182f, 0x11837, 1}, {0x11839, 0x1183a, 1}, {0x1193b, 0x1193c, 1},
			{0x1193e, 0x1193e, 1}, {0x11943, 0x11943, 1}, {0x119d4, 0x119d7, 1}, {0x119da, 0x119db, 1}, {0x119e0, 0x119e0, 1},
			{0x11a01, 0x11a0a, 1}, {0x11a33, 0x11a38, 1}, {0x11a3b, 0x11a3e, 1}, {0x11a47, 0x11a47, 1}, {0x11a51, 0x11a56, 1},
			{0x11a59, 0x11a5b, 1}, {0x11a8a, 0x11a96, 1}, {0x11a98, 0x11a99, 1}, {0x11c30, 0x11c36, 1}, {0x11c38, 0x11c3d, 1},
			{0x11c3f, 0x11c3f, 1}, {0x11c92, 0x11ca7, 1}, {0x11caa, 0x11cb0, 1}, {0x11cb2, 0x11cb3, 1}, {0x11cb5, 0x11cb6, 1},
			{0x11d31, 0x11d36, 1}, {0x11d3a, 0x11d3a, 1}, {0x11d3c, 0x11d3d, 1}, {0x11d3f, 0x11d45, 1}, {0x11d47, 0x11d47, 1},
			{0x11d90, 0x11d91, 1}, {0x11d95, 0x11d95, 1}, {0x11d97, 0x11d97, 1}, {0x11ef3, 0x11ef4, 1}, {0x11f00, 0x11f01, 1},
			{0x11f36, 0x11f3a, 1}, {0x11f40, 0x11f40, 1}, {0x11f42, 0x11f42, 1}, {0x13440, 0x13440, 1}, {0x13447, 0x13455, 1},
			{0x16f4f, 0x16f4f, 1}, {0x16fe4, 0x16fe4, 1}, {0x1cf00, 0x1cf2d, 1}, {0x1cf30, 0x1cf46, 1}, {0x1e000, 0x1e006, 1},
			{0x1e008, 0x1e018, 1}, {0x1e01b, 0x1e021, 1}, {0x1e023, 0x1e024, 1}, {0x1e026, 0x1e02a, 1}, {0x1e08f, 0x1e08f, 1},
			{0x1e130, 0x1e136, 1}, {0x1e2ae, 0x1e2ae, 1}, {0x1e2ec, 0x1e2ef, 1}, {0x1e4ec, 0x1e4ef, 1}, {0x1e944, 0x1e94a, 1},
		},
	}
	laterMarks = &unicode.RangeTable{
		R16: []unicode.Range16{
			{0x7fd, 0x7fd, 1}, {0x898, 0x89f, 1}, {0x8ca, 0x8d3, 1}, {0x9fe, 0x9fe, 1}, {0xafa, 0xaff, 1}, {0xb55, 0xb55, 1},
			{0xc04, 0xc04, 1}, {0xc3c, 0xc3c, 1}, {0xcf3, 0xcf3, 1}, {0xd00, 0xd00, 1}, {0xd3b, 0xd3c, 1}, {0xd81, 0xd81, 1},
			{0xeba, 0xeba, 1}, {0xece, 0xece, 1}, {0x1715, 0x1715, 1}, {0x180f, 0x180f, 1}, {0x1abf, 0x1ace, 1}, {0x1cf7, 0x1cf7, 1},
			{0x1df6, 0x1dfa, 1}, {0xa82c, 0xa82c, 1}, {0xa8ff, 0xa8ff, 1},
		},
		R32: []unicode.Range32{
			{0x10d24, 0x10d27, 1}, {0x10eab, 0x10eac, 1}, {0x10efd, 0x10eff, 1}, {0x10f46, 0x10f50, 1}, {0x10f82, 0x10f85, 1},
			{0x11070, 0x11070, 1}, {0x11073, 0x11074, 1}, {0x110c2, 0x110c2, 1}, {0x11145, 0x11146, 1}, {0x111c9, 0x111c9, 1},
			{0x111ce, 0x111cf, 1}, {0x11241, 0x11241, 1}, {0x1133b, 0x1133b, 1}, {0x1145e, 0x1145e, 1}, {0x1182c, 0x1183a, 1},
			{0x11930, 0x11935, 1}, {0x11937, 0x11938, 1}, {0x1193b, 0x1193e, 1}, {0x11940, 0x11940, 1}, {0x11942, 0x11943, 1},
			{0x119d1, 0x119d7, 1}, {0x119da, 0x119e0, 1}, {0x119e4, 0x119e4, 1}, {0x11a01, 0x11a0a, 1}, {0x11a33, 0x11a39, 1},
			{0x11a3b, 0x11a3e, 1}, {0x11a47, 0x11a47, 1}, {0x11a51, 0x11a5b, 1}, {0x11a8a, 0x11a99, 1}, {0x11d31, 0x11d36, 1},
			{0x11d3a, 0x11d3a, 1}, {0x11d3c, 0x11d3d, 1}, {0x11d3f, 0x11d45, 1}, {0x11d47, 0x11d47, 1}, {0x11d8a, 0x11d8e, 1},
			{0x11d90, 0x11d91, 1}, {0x11d93, 0x11d97, 1}, {0x11ef3, 0x11ef6, 1}, {0x11f00, 0x11f01, 1}, {0x11f03, 0x11f03, 1},
			{0x11f34, 0x11f3a, 1}, {0x11f3e, 0x11f42, 1}, {0x13440, 0x13440, 1}, {0x13447, 0x13455, 1}, {0x16f4f, 0x16f4f, 1},
			{0x16f7f, 0x16f87, 1}, {0x16fe4, 0x16fe4, 1}, {0x16ff0, 0x16ff1, 1}, {0x1cf00, 0x1cf2d, 1}, {0x1cf30, 0x1cf46, 1},
			{0x1e08f, 0x1e08f, 1}, {0x1e130, 0x1e136, 1}, {0x1e2ae, 0x1e2ae, 1}, {0x1e2ec, 0x1e2ef, 1}, {0x1e4ec, 0x1e4ef, 1},
		},
	}
)

// charPages divides the classes into pages of 256 code points. Equal pages are shared.
type charPages struct {
	index [0x110000 >> 8]uint16
	pages [][256]charClass
}

func (p *charPages) of(r rune) charClass { return p.pages[p.index[r>>8]][r&255] }

// classes returns the table, which is built at the first use in a few milliseconds.
var classes = sync.OnceValue(func() *charPages {
	p := &charPages{}
	seen := map[[256]charClass]uint16{}
	all := make([]charClass, 0x110000)
	mark := func(c charClass, without *unicode.RangeTable, tables ...*unicode.RangeTable) {
		for _, t := range tables {
			for _, x := range t.R16 {
				for r := rune(x.Lo); r <= rune(x.Hi); r += rune(x.Stride) {
					all[r] |= c
				}
			}
			for _, x := range t.R32 {
				for r := rune(x.Lo); r <= rune(x.Hi); r += rune(x.Stride) {
					all[r] |= c
				}
			}
		}
		if without == nil {
			return
		}
		for _, x := range without.R16 {
			for r := rune(x.Lo); r <= rune(x.Hi); r++ {
				all[r] &^= c
			}
		}
		for _, x := range without.R32 {
			for r := rune(x.Lo); r <= rune(x.Hi); r++ {
				all[r] &^= c
			}
		}
	}
	mark(classLetter, nil, unicode.L, lateLetters)
	mark(classNumber, nil, unicode.N, lateNumbers)
	mark(classSpace, nil, unicode.White_Space)
	mark(classControl, laterFormats, unicode.Cc, unicode.Cf, unicode.Co)
	mark(classPunct, laterPunctuation, unicode.P)
	mark(classIdeograph, nil, ideographs)
	mark(classAccent, laterAccents, unicode.Mn)
	mark(classMark, laterMarks, unicode.M)
	for r := range rune(0x80) {
		if isPunctuation(r) {
			all[r] |= classPunct
		}
	}
	for _, r := range []rune{0x166d, 0x111c9} { // punctuation in Unicode 7, but no longer
		all[r] |= classPunct
	}
	all[0x1734] |= classAccent                 // a mark that has since become a spacing one
	for _, r := range []rune{0x1cf2, 0x1cf3} { // marks in the older tables, but no longer
		all[r] |= classMark
	}
	for _, r := range []rune{'\t', '\n', '\r'} {
		all[r] &^= classControl
	}
	all[0xfffd] |= classControl
	for i := range p.index {
		page := [256]charClass(all[i<<8:])
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
