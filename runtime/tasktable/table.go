// Package tasktable describes the tasks of heads, one row per task: how a head is written in the language, what its numbers are, which
// calls the generated package has for them, and which flags run has. It is data and nothing else. The language, the compiler, code generation,
// the runtime, built programs and the command line read it, and none of them has a list of tasks of its own.
//
// A new task is a new row of Table and the code that computes its results: see "A task" in CONTRIBUTING.md. The programs that users build link
// this package, so it imports nothing but the standard library.
package tasktable

import "slices"

// Task is what the numbers of a head mean. Generated packages and packed weights hold this text.
type Task string

// Row describes one task.
type Row struct {
	Task    Task
	Numbers string // what the numbers are, with their shape
	Kind    string // the name of such heads in messages: the word of debertac --head that asks for one, if there is one

	// As is the word after "as" in the spec, or the meaning that other words of the head have. AsNumbers stands for heads without either.
	As Meaning
	// Take lists the rows that such heads read.
	Take []Take
	// Claims lists those of Take that belong to this task alone: heads that read them must fit this row.
	Claims []Take
	// Columns is the length of a row of the output.
	Columns Columns
	// Tied heads read rows that Claims does not list only if their last layer shares the token table.
	Tied bool
	// Judged heads are of this task only if they have one of Losses.
	Judged bool
	// Losses are the losses that fit; nil: all of them. A head may also have none.
	Losses []string
	// These say what is wrong with a head whose rows, loss or columns do not fit.
	TakeMisfit, LossMisfit, ColumnsMisfit Misfit

	// Pairs: the output has a row for each pair of a word and a label that is given at run time, not a row for each row that the head reads.
	Pairs bool
	// Startless results stay whole when the start of a text is cut off.
	Startless bool
	// Grows: a causal model can compute the rows of new tokens alone, and keep what it has computed of the others.
	Grows bool
	// Mean is the way in which an ensemble averages such heads.
	Mean Averaging

	Direct   Service   // calls of runtime.Classifier, which a model of this task holds from the start
	Raw      Verb      // the call for token ids, if it has a name of its own; %[1]d in Doc is the number of columns
	Services []Service // types of runtime/task that the generated package has calls of
	Also     []string  // names of services of other rows that read these numbers too
	Flags    []string  // names of the flags of run that have a meaning for such heads

	Page   string // in docs/tasks
	Sample string // the block of a head of this task, as an example and for tests
}

// Averaging is a way in which an ensemble averages heads of a task.
type Averaging uint8

// The ways to average.
const (
	MeanOfNumbers       Averaging = iota // the numbers, whatever the ensemble says
	MeanOfProbabilities                  // probabilities of each row, or the numbers
	MeanOfLogits                         // the numbers: their probabilities are not over the numbers of a row
	NoMean                               // no mean is defined
)

// Of returns the row of a task, or nil if there is no such task.
func Of(t Task) *Row {
	for i := range Table {
		if Table[i].Task == t {
			return &Table[i]
		}
	}
	return nil
}

// Serving returns the service of a name, and the tasks whose numbers it reads in the order of Table. Both are nil if there is no such service.
func Serving(name string) (service *Service, tasks []Task) {
	for i := range Table {
		r := &Table[i]
		if n := slices.IndexFunc(r.Services, func(s Service) bool { return s.Name == name }); n >= 0 && service == nil {
			service = &r.Services[n]
		}
		if r.ServedBy(name) {
			tasks = append(tasks, r.Task)
		}
	}
	return service, tasks
}

// ServedBy reports whether a service reads the numbers of the task.
func (r *Row) ServedBy(name string) bool {
	return slices.Contains(r.Also, name) || slices.ContainsFunc(r.Services, func(s Service) bool { return s.Name == name })
}

// Taking returns the tasks for which a flag of run has a meaning, in the order of Table; nil if it has one whatever the task is.
func Taking(flag string) []Task {
	var tasks []Task
	for i := range Table {
		if slices.Contains(Table[i].Flags, flag) {
			tasks = append(tasks, Table[i].Task)
		}
	}
	return tasks
}
