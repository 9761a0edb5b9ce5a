// Package generated holds checked-in code that debertac made. Folder kernels has the kernels of every family and instruction set; unit tests and benchmarks use
// them one by one. Folders spam and nli are example packages as users generate them: spam is a small classifier, and nli has the shape of a
// published model, and takes adapters.
package generated

//go:generate go run ../cmd/debertac compile ../examples/spam/spam.dspec -o spam
//go:generate go run ../cmd/debertac compile nli.dspec -o nli
