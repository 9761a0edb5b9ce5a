// Package program is what the main of a built binary links: the command line of a compiled model. A generated main hands it the models:
//
//	func main() { program.Main([]program.Model{{Name: "spam", Program: spam.Program()}}) }
//
// The binary's verbs are run (texts in, labels and scores out), forward (token ids in, every traced tensor out), bench, first (the time to the
// first result of a fresh process), doctor and version. Results go to standard output, everything else to standard error; with --json results
// are one JSON object a line.
package program
