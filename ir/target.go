package ir

// TargetCheck is what must hold for the numbers of a target. It is the name of a constant of package trainer.
type TargetCheck string

// The checks.
const (
	ClassTarget  TargetCheck = "Classes" // a class, or a number below 0
	TokenTarget  TargetCheck = "Tokens"  // a token of the sequence, or a number below 0
	GroupTarget  TargetCheck = "Groups"  // a number below that of the sequences
	PairTarget   TargetCheck = "Pairs"   // such numbers, each of two sequences at least
	UnitTarget   TargetCheck = "Unit"    // from 0 to 1
	JudgedTarget TargetCheck = "Judged"  // from 0 to 1, or a number below 0
	ShareTarget  TargetCheck = "Shares"  // not below 0
	FiniteTarget TargetCheck = "Finite"  // any finite number
)

// Target tells what holds for the numbers of a target.
type Target struct {
	Name  string
	Check TargetCheck
	Below int // of ClassTarget: the number of classes; 0: any number is one

	Optional bool // a batch may lack it: all its numbers are -1 then
}

// Counted is what a Count counts. It is the name of a constant of package trainer.
type Counted string

// What is counted.
const (
	RowCount    Counted = ""            // rows, i32[1]; all others are f32[1]
	WeightCount Counted = "WeightSum"   // the weights of the target's classes
	JudgedCount Counted = "JudgedCount" // numbers of the target that are not below 0, of spans inside their sequences
	PairCount   Counted = "PairCount"   // pairs of texts of a group with different targets
	GroupCount  Counted = "GroupCount"  // the groups that the target names
	SumCount    Counted = "NumberSum"   // the sum of the target's numbers
)

// Count is a number of a whole batch that a pass over a part of the batch reads: by how many rows a mean divides, or by what another one does.
type Count struct {
	Name    string // of the value of the batch
	Target  string // the targets whose numbers not below 0 are counted; "": all rows are counted
	Rows    Dim    // what has a row
	Of      Counted
	Weights []float64 // of WeightCount, by class
	Widths  int       // of JudgedCount: words of the longest span; 0: the rows are no spans
}
