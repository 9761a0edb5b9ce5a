// A module of its own so that `go get` of the compiler leaves the model and the mails out.
module github.com/debertac/debertac/examples/spam

go 1.26.0
