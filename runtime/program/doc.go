// Package program is the command line of a built binary, which holds one or more compiled models. A generated main passes the models to it:
//
//	func main() { program.Main([]program.Model{{Name: "spam", Program: spam.Program()}}) }
//
// The binary's verbs are run (texts in, labels and scores out), eval (examples in, metrics out), forward (token ids in, every traced tensor out),
// bench, first (the time to the first result of a fresh process), doctor and version. Results go to standard output, everything else to standard
// error. With --json, results are one JSON object per line.
package program
