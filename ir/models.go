package ir

// Model is one of the models of a program that trains several.
type Model struct {
	Name    string // the first word of the names of its tensors in the program
	Tensors []Stored
}

// Stored describes a tensor of a model as a sum of tensors of the program.
type Stored struct {
	Name string   // in a checkpoint of the model alone
	Of   []string // among Params
}

// Merge describes how a matrix takes in its adapter: W + By·Up·Down is the matrix of a model without the adapter. If the matrix holds several parts of each
// head, as in_proj of DeBERTa v1, the adapter changes the rows of one part.
type Merge struct {
	Of, Down, Up       string // names of tensors: f32[parts·N, K], f32[rank, K], f32[N, rank]
	By                 float64
	Heads, Part, Parts int // see the op head_part; 0 parts: the whole matrix
}
