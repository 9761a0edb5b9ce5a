// The recorded encodings are a module of their own, so that a program that uses the tokenizers does not download them.
module github.com/debertac/debertac/runtime/token/testdata

go 1.26.0
