package token

import "unsafe"

// stringView and bytesView return the same memory as the other type, so that texts are not copied. The bytes are
// never written while a view of them is in use.

func stringView(s string) []byte {
	return unsafe.Slice(unsafe.StringData(s), len(s))
}

func bytesView(b []byte) string {
	return unsafe.String(unsafe.SliceData(b), len(b))
}
