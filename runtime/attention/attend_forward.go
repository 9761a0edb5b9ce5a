package attention

// forwardArrays are the arrays of the forward pass with kernels, one after the other.
const (
	headQueries = iota // [n][DP] times Scale
	headKeys           // [n][DP], if keys are not read in place
	headValues
	headResults  // [n][DP], if results are not written in place
	headTable    // [R][DP]
	headKR       // panels [R/16][DP][16]
	headQR       // the same, times Scale
	headZero     // [DP]
	headForm     // the scratch memory of the form
	headPlain    // the scratch memory of plain Go
	forwardCount // the number of arrays
)

// InPlace reports whether kernels of the forward pass read keys and values, and write results, where the program has them.
func (a *Attend) InPlace() bool {
	return a.E%width == 0 && a.E >= a.D && (a.Operands.K == 0 || a.D == a.E && a.Operands.K == a.Operands.V)
}

// BackwardShape returns the constants with which kernels of the backward pass compute a head: all rows lie side by side.
func (a *Attend) BackwardShape() Shape {
	dp := (max(a.D, a.E) + width - 1) / width * width
	return Shape{DP: dp, LDQ: dp, LDK: dp, LDO: dp, R: a.R, Terms: a.Terms, Masked: a.Masked}
}

// ForwardShape returns the constants with which kernels of the forward pass compute a head: queries lie side by side, and so do keys, values and results that
// are not in place.
func (a *Attend) ForwardShape() Shape {
	s := a.BackwardShape()
	if a.InPlace() {
		s.LDK, s.LDO = a.Operands.V, a.Operands.O
	}
	return s
}

// hasKernels reports whether kernels can be made for both passes.
func (a *Attend) hasKernels() bool {
	f, b := a.ForwardShape(), a.BackwardShape()
	return !a.Mixes() && f.HasKernels() && b.HasKernels()
}

// forwardLengths returns the length of each array for sequences of up to n rows, in floats, each a multiple of 16.
func (a *Attend) forwardLengths(n int) []int {
	l := make([]int, forwardCount)
	f := a.ForwardShape()
	rows, table := (n+width-1)/width*width*f.DP, (a.R+width-1)/width*width*f.DP
	l[headQueries] = rows
	if !a.InPlace() {
		l[headKeys], l[headValues], l[headResults] = rows, rows, rows
	}
	if a.Terms.Indexed() {
		l[headTable] = table
	}
	if a.Terms.KeyPosition != Absent {
		l[headKR] = table
	}
	if a.Terms.QueryPosition != Absent {
		l[headQR] = table
	}
	l[headZero] = f.DP
	l[headForm] = (f.Scratch(n) + width - 1) / width * width
	l[headPlain] = a.plainScratch(n, false)
	return l
}

// divide cuts memory into arrays of the given lengths.
func divide(memory *float32, lengths []int) [][]float32 {
	out := make([][]float32, len(lengths))
	for i, l := range lengths {
		out[i] = floats(memory, l)
		memory = at(memory, l)
	}
	return out
}

// forward computes a head of sequences from … to-1 with kernels. Sequences with missing rows, and an index whose rows rise by more than 1, are computed in
// plain Go.
func (a *Attend) forward(c *AttendCall, head, from, to int) {
	f := a.Forward
	lengths := a.forwardLengths(c.longest())
	arrays := divide(c.Scratch, lengths)
	move := headRows{HeadKernels: &f.HeadKernels, d: a.D, dp: f.DP}
	longest := 0
	for s := from; s < to; s++ {
		longest = max(longest, int(c.Starts[s+1]-c.Starts[s]))
	}
	clear(arrays[headZero])
	lo, hi := a.reach(c.Index, longest)
	table := func(panels []float32, rows *float32, ld int, factor float32) *float32 {
		move.pack(arrays[headTable], at(rows, lo*ld+head*a.D), hi-lo, ld, factor)
		f.Panels(&panels[lo*f.DP], &arrays[headTable][0], &arrays[headZero][0], hi-lo)
		return &panels[0]
	}
	call := Call{Index: c.Index}
	if a.Terms.KeyPosition != Absent && hi > lo {
		call.KR = table(arrays[headKR], c.KR, a.Operands.KR, 1)
	}
	if a.Terms.QueryPosition != Absent && hi > lo {
		call.QR = table(arrays[headQR], c.QR, a.Operands.QR, a.Scale)
	}
	if a.Terms.Bias {
		call.Bias = at(c.Bias, head*a.Operands.Bias)
	}
	for s := from; s < to; s++ {
		h := forwardHead{a, c, s, head, arrays, move}
		if c.holes(s) || !h.run(call) {
			h.plain()
		}
	}
}

// forwardHead computes one head of one sequence.
type forwardHead struct {
	*Attend
	c      *AttendCall
	s      int
	head   int
	arrays [][]float32
	move   headRows
}

// run computes the head with kernels. It returns false, and computes nothing, if the index does not fit them.
func (h *forwardHead) run(call Call) bool {
	f, c := h.Forward, h.c
	first, n := int(c.Starts[h.s]), int(c.Starts[h.s+1]-c.Starts[h.s])
	call.N, call.Prefix, call.Scratch, call.Drop = n, c.prefix(h.s), h.scratch(headForm), h.dropOf(c, h.s, h.head, f.Drop)
	queries, values := h.move, h.move
	values.d = h.E
	place := func(array int, x *float32, ld int, move *headRows) *float32 {
		x = at(x, first*ld+h.head*move.d)
		if h.InPlace() {
			return x
		}
		move.pack(h.arrays[array], x, n, ld, 1)
		return h.scratch(array)
	}
	if n > 0 {
		call.V = place(headValues, c.V, h.Operands.V, &values)
		if c.K != nil {
			call.K = place(headKeys, c.K, h.Operands.K, &queries)
		}
	}
	fits := true
	h.eachSpan(c, h.s, func(s span) {
		if !fits {
			return
		}
		if c.Q != nil {
			queries.pack(h.arrays[headQueries][s.from*f.DP:], at(c.Q, s.at*h.Operands.Q+h.head*h.D), s.to-s.from, h.Operands.Q, h.Scale)
			call.Q = h.scratch(headQueries)
		}
		o := at(c.O, s.at*h.Operands.O+h.head*h.E)
		call.O, call.From, call.To = o, s.from, s.to
		if !h.InPlace() {
			call.O = h.scratch(headResults)
		}
		if fits = f.blocks(&call); fits && !h.InPlace() {
			values.unpack(o, h.arrays[headResults], s.to-s.from, h.Operands.O, 1)
		}
	})
	return fits
}

// scratch returns the first element of an array.
func (h *forwardHead) scratch(array int) *float32 { return &h.arrays[array][0] }

// plain computes the head in plain Go.
func (h *forwardHead) plain() {
	c := *h.c
	c.Scratch = h.scratch(headPlain)
	p := plain{Attend: h.Attend, c: &c, h0: h.head, h1: h.head + 1}
	p.place(false)
	p.sequence(h.s)
	p.eachStrip(p.weigh)
}
