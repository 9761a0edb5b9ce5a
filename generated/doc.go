// Package generated holds code that debertac made, checked in: the kernels of every family and instruction set (kernels), which unit tests and
// benchmarks take apart, and two example packages, as users generate them: spam, a small classifier, and nli, a published model's shape.
package generated

//go:generate go run ../cmd/debertac compile ../examples/spam/spam.dspec -o spam
//go:generate go run ../cmd/debertac compile nli.dspec -o nli
