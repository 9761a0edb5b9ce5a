package runtime

// Text is one input: a text, or a pair.
type Text struct {
	First  string
	Second string // used if Pair
	Pair   bool
}
