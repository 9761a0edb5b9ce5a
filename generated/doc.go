// Package generated holds checked-in code that debertac made: the kernels of every family and instruction set (kernels), which unit tests and benchmarks use
// one by one, and two example packages as users generate them: spam, a small classifier, and nli, which has the shape of a published model.
package generated

//go:generate go run ../cmd/debertac compile ../examples/spam/spam.dspec -o spam
//go:generate go run ../cmd/debertac compile nli.dspec -o nli
