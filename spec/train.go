package spec

// Train describes how one head is trained.
type Train struct {
	Source
	Name      string
	Head      *Head
	Batch     int // sequences per step
	Length    int // tokens per sequence
	Steps     int // optimiser steps; 0 if Epochs is set
	Epochs    int // passes over the data; 0 if Steps is set
	Precision Precision
	Optimizer Optimizer
	Rate      Rate
	Clip      float64 // bound on the norm of all gradients; 0: no bound
	Sift      *Sift
	Replace   *Replace
	Mask      float64 // share of the tokens that are masked, 0.15 for 15 %; 0: no masking
	Weight    float64 // of the detection loss, relative to the generator's
	Memory    int64   // bytes; 0: no bound
}

// Precision is the number format of the passes and of the kept weights.
type Precision struct {
	Source
	Compute string // f32 or bf16
	Master  string // f32
}

// Optimizer is AdamW: m = β1·m + (1−β1)·g, v = β2·v + (1−β2)·g², p −= rate·(m̂/(sqrt(v̂)+eps) + decay·p).
type Optimizer struct {
	Source
	Kind         string // adamw
	Beta1, Beta2 float64
	Eps          float64
	Decay        float64
	Except       []string // weights without decay: norm, bias
	Correct      bool     // bias correction of both moments
}

// Rate is the learning rate's schedule.
type Rate struct {
	Source
	Peak   float64
	Warmup int     // steps of linear growth from 0; 0 if Share is set
	Share  float64 // warmup as a share of all steps
	Then   string  // constant or linear (to 0 at the end)
}

// Sift is scale-invariant fine-tuning: noise on the normalised input, which is moved uphill, and a penalty on the change that it causes.
type Sift struct {
	Source
	Noise  float64 // standard deviation of the first noise
	Step   float64 // largest component of a move
	Ascend int     // number of moves
	Loss   string  // symmetric_kl, kl or mse
	Weight float64 // λ
}

// Replace is replaced-token detection: the trained head judges tokens that the generator wrote.
type Replace struct {
	Source
	Generator *Head
	Share     string // the shared table, "embed.token"; "": no shared table
	Stop      bool   // the shared table gets no gradient from the detector, which adds a learned difference to it
}

// Target describes what is built.
type Target struct {
	Source
	Name    string
	ISA     []string // best first: avx512vnni, avx512, avx2, go
	Weights Weights
	Batch   int     // greatest number of sequences in one run
	Tokens  int     // greatest number of tokens in one run
	Threads int     // 0: as many as the machine has
	Memory  int64   // bytes; 0: no bound
	Agree   float64 // largest difference from the reference
	Emit    []Emit
	Default bool // the file has no target
}

// Weights is the number format of packed weights.
type Weights struct {
	Source
	Kind    string // f32, bf16 or int8
	Channel bool   // int8: one scale per row of the weight
}

// EmitKind is the kind of package that is generated.
type EmitKind uint8

// The kinds of output.
const (
	EmitInfer EmitKind = iota // a forward pass with the head's verbs
	EmitTrain                 // a training program
)

// Emit is one package to generate. Exactly one of Model, Head, Ensemble and Train is set. Model means the last layer's rows, without a head.
type Emit struct {
	Source
	Kind     EmitKind
	Model    *Model
	Head     *Head
	Ensemble *Ensemble
	Train    *Train
	Package  string // Go package name; "": it is made from the name
}
