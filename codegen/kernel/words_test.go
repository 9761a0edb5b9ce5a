package kernel

import (
	"strings"
	"testing"
)

// TestWordsRefused checks parameters for which there is no kernel.
func TestWordsRefused(t *testing.T) {
	spans := func(change func(*SpansParams)) func(ISA) Kernel {
		p := SpansParams{I: 20, LDB: 32, LDU: 32, YK: 1, YC: 16}
		change(&p)
		return func(isa ISA) Kernel { return Spans(p, isa) }
	}
	cells := func(size int) func(ISA) Kernel { return func(isa ISA) Kernel { return LSTM(size, isa) } }
	units := func(size int) func(ISA) Kernel { return func(isa ISA) Kernel { return GRU(size, isa) } }
	for _, c := range []struct {
		want string
		make func(ISA) Kernel
	}{
		{"width 0", spans(func(p *SpansParams) { p.I = 0 })},
		{"16 floats apart cannot hold 20", spans(func(p *SpansParams) { p.LDB = 16 })},
		{"20 floats apart cannot hold 20 floats and a constant", spans(func(p *SpansParams) { p.LDU = 20 })},
		{"results 0 and 16 floats apart", spans(func(p *SpansParams) { p.YK = 0 })},
		{"0 cells", cells(0)},
		{"70000 cells", cells(70000)},
		{"gru: 0 cells", units(0)},
		{"gru: 70000 cells", units(70000)},
	} {
		for _, isa := range ISAs() {
			if _, err := Assemble("a test", []Kernel{c.make(isa)}); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: the error is %v, want %q", isa.Name, err, c.want)
			}
		}
	}
}
