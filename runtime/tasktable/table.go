// Package tasktable describes the tasks of heads, one row per task: how a head is written in the language, what its numbers are, which calls the generated
// package has for them, and which flags run has. It holds only data. The language, the compiler, code generation, the runtime, built programs and the command
// line read it, and none of them has its own list of tasks.
//
// A new task is a new row of Table and the code that computes its results: see "A task" in CONTRIBUTING.md. The programs that users build link this package, so
// it imports only the standard library.
package tasktable

import "slices"

// Task describes what the numbers of a head mean. Generated packages and packed weights hold this text.
type Task string

// Row describes one task.
type Row struct {
	Task    Task
	Numbers string // what the numbers are, with their shape
	Kind    string // the name of such heads in messages: the word of debertac --head that asks for one, if there is such a word

	// As is the word after "as" in the spec, or the meaning of other words of the head. AsNumbers stands for heads with neither.
	As Meaning
	// Take lists the rows that such heads read.
	Take []Take
	// Claims lists the rows of Take that belong only to this task: a head that reads them must fit this row.
	Claims []Take
	// Columns is the number of columns of the output.
	Columns Columns
	// Tied is set if such a head may read rows that Claims does not list only when its last layer shares the token table.
	Tied bool
	// Judged is set if a head is of this task only when it has one of Losses.
	Judged bool
	// Losses lists the losses that fit. A head may also have no loss.
	Losses []string
	// These are the messages for a head whose rows, loss or columns do not fit.
	TakeMisfit, LossMisfit, ColumnsMisfit Misfit

	// Pairs is set if the output has one row per pair of a word and a label that is chosen at run time, not one row per row that the head reads.
	Pairs bool
	// Vectors is set if results can have vectors of tokens, of labels and of what is found, for which the program has outputs of their own.
	Vectors bool
	// Startless is set if results stay complete when the start of a text is cut off.
	Startless bool
	// Grows is set if a causal model can compute only the rows of new tokens and keep what it has computed for the others.
	Grows bool
	// Mean is the way in which an ensemble averages such heads.
	Mean Averaging

	Direct   Service   // calls of engine.Classifier, which a model of this task always holds
	Raw      Verb      // the call for token ids, if it has a name of its own; %[1]d in Doc is the number of columns
	Services []Service // types of runtime/task for which the generated package has calls
	Also     []string  // names of services of other rows that read these numbers too
	Flags    []string  // names of the flags of run that have a meaning for such heads

	// Asks is set if the texts of run are questions. A record of its input may then have a question in place of a text.
	Asks bool
	// Wants is the field that a record of run's input must have beside its text, unless the flag of that name sets it for all records; "": no field.
	Wants string
	// Instead lists flags that stand for the field of Wants, beside the flag of its name.
	Instead []string
	// Fields lists further fields that a record of run's input may have.
	Fields []string

	Page   string // file name in docs/tasks
	Sample string // the block of a head of this task, as an example and for tests
}

// Averaging is a way in which an ensemble averages heads of a task.
type Averaging uint8

// The ways to average.
const (
	MeanOfNumbers       Averaging = iota // the numbers, whatever the ensemble says
	MeanOfProbabilities                  // probabilities of each row, or the numbers
	MeanOfLogits                         // the numbers, because the softmax of such heads goes over several rows
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

// Serving returns the service of a name, and the tasks whose numbers it reads, in the order of Table. Both are nil if there is no such service.
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

// Lacking returns the field of Wants if texts alone, which have no fields, are not enough with the flags that are given; else "".
func (r *Row) Lacking(given func(flag string) bool) string {
	if r.Wants == "" || given(r.Wants) || slices.ContainsFunc(r.Instead, given) {
		return ""
	}
	if r.Wants == "context" && given("question") { // with --question, the text is the context
		return ""
	}
	return r.Wants
}

// WantedFlag returns the flag of run that stands for the field of Wants in all records, with its placeholder.
func (r *Row) WantedFlag() string {
	for _, f := range Flags {
		if f.Name == r.Wants {
			return "--" + f.Name + " " + f.Placeholder
		}
	}
	return ""
}

// ServedBy reports whether a service reads the numbers of the task.
func (r *Row) ServedBy(name string) bool {
	return slices.Contains(r.Also, name) || slices.ContainsFunc(r.Services, func(s Service) bool { return s.Name == name })
}

// Taking returns the tasks for which a flag of run has a meaning, in the order of Table. It returns nil if the flag has a meaning for every task.
func Taking(flag string) []Task {
	var tasks []Task
	for i := range Table {
		if slices.Contains(Table[i].Flags, flag) {
			tasks = append(tasks, Table[i].Task)
		}
	}
	return tasks
}
