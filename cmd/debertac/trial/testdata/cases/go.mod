// A module of its own, so that the vectors are no part of what `go get` of debertac downloads.
module github.com/debertac/debertac/cmd/debertac/trial/testdata/cases

go 1.26
