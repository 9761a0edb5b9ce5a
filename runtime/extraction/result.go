package extraction

import "github.com/debertac/debertac/runtime/ragged"

// Options holds the settings of a call. The zero value stands for the defaults.
type Options struct {
	// Threshold is the least probability of a result that has no threshold of its own in the schema, from 0 to 1; nil: 0.5.
	Threshold *float64
	// Overlap decides between results of a label that overlap.
	Overlap Overlap
	// Splitter divides the text into words.
	Splitter Splitter
	// MaxWords cuts the text to its first words; 0: it is not cut.
	MaxWords int
	// Window reads the text in windows of this number of words, of which neighbors share Share words; 0: the text is read at once.
	Window, Share int
}

// Check returns an error if an option is invalid.
func (o *Options) Check() error {
	if t := o.Threshold; t != nil && !(*t >= 0 && *t <= 1) {
		return ragged.Errorf("threshold is %v: it must be from 0 to 1", *t)
	}
	if o.Overlap > Allow {
		return ragged.Errorf("overlap_policy is %d: it must be a rule for overlaps", o.Overlap)
	}
	if _, err := ParseSplitter(string(o.Splitter)); err != nil {
		return err
	}
	switch {
	case o.MaxWords < 0:
		return ragged.Errorf("max_len is %d: it must be above 0", o.MaxWords)
	case o.Window < 0:
		return ragged.Errorf("chunk_size is %d: it must be above 0", o.Window)
	case o.Window == 0 && o.Share != 0:
		return ragged.Errorf("chunk_overlap is %d and has no effect without chunk_size: set both", o.Share)
	case o.Window > 0 && (o.Share < 0 || o.Share >= o.Window):
		return ragged.Errorf("chunk_overlap is %d: it must be from 0 to %d, below chunk_size", o.Share, o.Window-1)
	case o.Window > 0 && o.MaxWords > 0:
		return ragged.Errorf("max_len has no effect in windows of chunk_size words: set one of them")
	}
	return nil
}

// threshold returns the least probability of results with a threshold of their own, or nil.
func (o *Options) threshold(own *float64) float64 {
	switch {
	case own != nil:
		return *own
	case o.Threshold != nil:
		return *o.Threshold
	}
	return defaultThreshold
}

// defaultThreshold is the published one.
const defaultThreshold = 0.5

// Span is a part of the text that was found. A span that ends with the added full stop ends one character after the end of the caller's text.
type Span struct {
	Text  string
	Score float64
	Place
	Attributes []Attribute // of an entity, one per group that applies
	// Vector is what a head that scores spans computes of the span, else the mean of what the head reads of its words; nil if the model computes no vectors.
	Vector []float32
}

// Attribute is the value of an attribute group.
type Attribute struct {
	Group  string
	Multi  bool
	Labels []Scored // one if Multi is not set
}

// Scored is a label with its probability.
type Scored struct {
	Label string
	Score float64
}

// Entities holds what was found for a label.
type Entities struct {
	Label string
	One   bool
	Spans []Span // at most one if One is set
}

// Value is the value of a field: parts of the text, or some of its choices.
type Value struct {
	Field   string
	One     bool
	Choice  bool
	Spans   []Span   // unless Choice is set
	Choices []Scored // if Choice is set
}

// Instance is an instance of a structure, with the values of all its fields.
type Instance []Value

// Instances holds the instances of a structure.
type Instances struct {
	Structure string
	Instances []Instance
	// Counted is whether the model counted any instance. Instances may be empty even so, because those without any value are left out.
	Counted bool
	linked  bool  // instances have a head and a tail, and stand among the relations
	empty   []any // what windows without instances show in place of them, in their order
}

// Pair is the head and the tail of a relation.
type Pair struct {
	Head, Tail Span
}

// Pairs holds the pairs of a relation.
type Pairs struct {
	Relation string
	Pairs    []Pair
	key      string // the key in the published form
	empty    bool   // a window had no pair
}

// Answer is the answer of a classification.
type Answer struct {
	Task   string
	Multi  bool
	Labels []Scored // one if Multi is not set
}

// Result is what was found in a text.
type Result struct {
	Entities   []Entities // one per label of the schema; nil if the model counted no entity
	Instances  []Instances
	Pairs      []Pairs
	Answers    []Answer
	WordsCut   int  // number of words that Options.MaxWords cut off
	entities   bool // the schema has entities
	attributed bool // the schema has attribute groups
	merged     bool // of several windows, or of one that was to be merged
}

// EachSpan calls f with every part of the text that was found.
func (r *Result) EachSpan(f func(s *Span)) {
	all := func(list []Span) {
		for i := range list {
			f(&list[i])
		}
	}
	for i := range r.Entities {
		all(r.Entities[i].Spans)
	}
	for i := range r.Pairs {
		for k := range r.Pairs[i].Pairs {
			f(&r.Pairs[i].Pairs[k].Head)
			f(&r.Pairs[i].Pairs[k].Tail)
		}
	}
	for i := range r.Instances {
		for _, instance := range r.Instances[i].Instances {
			for k := range instance {
				all(instance[k].Spans)
			}
		}
	}
}
