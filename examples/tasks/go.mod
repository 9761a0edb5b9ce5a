// A module of its own so that `go get` of the compiler leaves these models out.
module github.com/debertac/debertac/examples/tasks

go 1.26.0
