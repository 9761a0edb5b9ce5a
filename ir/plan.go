package ir

// Plan is what the passes tile, memory and threads decide: which kernel runs each node, how its work is split and where each value lies.
// It is kept beside the graph so that the graph says what is computed and the plan how.
type Plan struct {
	// Buffers are the activations of one call in one arena. A buffer's size grows with T and B; buffers whose lifetimes do not meet share a slot.
	Buffers []Buffer
	Steps   []Step // in the order of Run: one for each node of each region
}

// Buffer is the place of one value (or of several that never live at the same time) in the arena.
type Buffer struct {
	Slot     int    // values with the same slot share memory
	Region   string // "" for values in the store
	Value    string
	PerToken int // floats for each of the T tokens (the value's LD)
	PerSeq   int // floats for each of the B sequences
	Fixed    int // floats whatever the batch
}

// Step is how one node runs.
type Step struct {
	Region string
	Node   int    // index in the region's Nodes
	Kernel string // name of the kernel without the instruction set, such as gemm_f32_k768_...
	Split  Split  // how the pool divides it
	Block  int    // rows in one kernel call
}

// Split says over what a step is divided between workers.
type Split string

// The ways to divide a step. No reduction's order depends on any of them.
const (
	SplitNone   Split = "none"   // one worker
	SplitRows   Split = "rows"   // blocks of rows
	SplitPanels Split = "panels" // panels of the packed matrix
	SplitHeads  Split = "heads"  // (sequence, head) pairs
)
