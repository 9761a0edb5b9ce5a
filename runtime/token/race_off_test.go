//go:build !race

package token

// raced reports whether the race detector is on.
const raced = false
