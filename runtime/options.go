package runtime

import (
	"fmt"

	"github.com/debertac/debertac/runtime/cpu"
	"github.com/debertac/debertac/runtime/pool"
	"github.com/debertac/debertac/runtime/ragged"
	"github.com/debertac/debertac/runtime/tokenizer"
)

// maxConcurrency is the largest value that Concurrency accepts.
const maxConcurrency = 1024

// Option changes how a model is opened. Callers can write their own: Open checks the settings after the last option, see [Options.Check]. An error of an
// option ends Open.
type Option func(*Options) error

// Options holds the settings of a model. Zero values stand for the defaults. Core.Options of package engine returns the settings in force.
type Options struct {
	Threads     int                 // threads per call, at most 1024; 0: cpu.DefaultThreads, at most what the target in the spec allows
	ISA         string              // instruction set to force; "": DEBERTAC_ISA, else the best; "auto": the best
	Concurrency int                 // calls that may compute at the same time, at most 1024; 0: cpu.DefaultThreads / Threads, at least 1
	Long        LongPolicy          // what to do with texts that are too long; zero value: Reject
	Join        Join                // how the windows of a text become one result; zero value: JoinMean
	MaxTokens   int                 // most tokens of a text that the model sees, including special tokens; 0: the model's own limit
	BatchTokens int                 // tokens that calls with texts put into one forward pass; 0: a default that suits caches, at most the spec's limit
	Special     SpecialText         // how text like "[SEP]" is read
	Pool        *pool.Pool          // shared with other models; nil: the model has its own
	Tokenizer   tokenizer.Tokenizer // used instead of the one in the weights
	Trace       TraceFunc           // called after each layer of every call; nil: nothing is called
	Pin         bool                // bind the threads of the model's own pool to processors
	Copy        bool                // copy the weights into memory instead of mapping them
	SkipTest    bool                // open without the self-test
	Verify      bool                // compare all weights with their hashes at open
}

// number is a setting that is a number. In Options, 0 stands for its default.
type number struct {
	name  string
	most  int // 0: only the spec limits it
	field func(*Options) *int
}

// The settings that are numbers.
var (
	threads     = number{"Threads", pool.MaxThreads, func(o *Options) *int { return &o.Threads }}
	concurrency = number{"Concurrency", maxConcurrency, func(o *Options) *int { return &o.Concurrency }}
	maxTokens   = number{"MaxTokens", 0, func(o *Options) *int { return &o.MaxTokens }}
	batchTokens = number{"BatchTokens", 0, func(o *Options) *int { return &o.BatchTokens }}
)

// set returns the option that sets the number to n. It refuses 0: a caller that passes 0 does not mean the default.
func (k number) set(n int) Option {
	return func(o *Options) error {
		if n == 0 {
			return k.refuse(n)
		}
		*k.field(o) = n
		return o.Check()
	}
}

// check returns an error if the number is neither 0 nor in its range.
func (k number) check(o *Options) error {
	if n := *k.field(o); n < 0 || k.most > 0 && n > k.most {
		return k.refuse(n)
	}
	return nil
}

func (k number) refuse(n int) error {
	if k.most == 0 {
		return ragged.Errorf("%s(%d): it must be at least 1", k.name, n)
	}
	return ragged.Errorf("%s(%d): it must be from 1 to %d", k.name, n, k.most)
}

// Check returns an error if a setting is out of its range or contradicts another one. The error names the option and the range, and wraps ErrInput.
// The option functions of this package call it, and so does Open after the last option. Open also compares the settings with the limits of the spec.
func (o *Options) Check() error {
	for _, k := range []number{threads, concurrency, maxTokens, batchTokens} {
		if err := k.check(o); err != nil {
			return err
		}
	}
	if o.ISA != "" && o.ISA != "auto" {
		if _, err := cpu.ParseISA(o.ISA); err != nil {
			return ragged.Errorf("UseISA: %v", err)
		}
	}
	switch {
	case o.Long < 0:
		return ragged.Errorf("Windows(%d): the stride must not be negative", o.Long.Stride())
	case o.Join > JoinMax:
		return ragged.Errorf("JoinWindows(%d): unknown value, it must be JoinMean or JoinMax", o.Join)
	case o.Special > SpecialAsTokens:
		return ragged.Errorf("Special(%d): unknown value, it must be SpecialAsText or SpecialAsTokens", o.Special)
	case o.Pool == nil:
		return nil
	case o.Pin:
		return ragged.Errorf("PinThreads and SharePool contradict each other: the threads of a shared pool are bound by pool.NewPinned")
	case o.Threads != 0 && o.Threads != o.Pool.Threads():
		return ragged.Errorf("Threads(%d) and a shared pool of %d threads contradict each other", o.Threads, o.Pool.Threads())
	case o.Pool.Closed():
		return &ragged.Error{Text: "SharePool: the pool is closed: close it after its models", Cause: ErrClosed}
	}
	return nil
}

// Threads sets how many threads a call uses, including the caller's own, from 1 to 1024. The target in the spec may set a lower limit.
func Threads(n int) Option { return threads.set(n) }

// UseISA forces an instruction set by name: go, avx2, avx512 …. "auto" forces none and ignores DEBERTAC_ISA. It is an error if the package or the
// processor lacks the set.
func UseISA(name string) Option {
	return func(o *Options) error { o.ISA = name; return o.Check() }
}

// Concurrency sets how many calls may compute at the same time, from 1 to 1024; each has its own arena. Further
// calls wait. On n cores, n calls of one thread each have more throughput than one call of n
// threads; one call of n threads has lower latency.
func Concurrency(n int) Option { return concurrency.set(n) }

// MaxTokens sets how many tokens of one text the model sees at most, including special tokens. It
// may not exceed the spec's limit on the sequence. Open refuses a limit that leaves no room beside the
// special tokens around a text.
func MaxTokens(n int) Option { return maxTokens.set(n) }

// BatchTokens sets how many tokens calls with texts put into one forward pass. It may not exceed the
// spec's limit on the batch. It changes speed and memory, but no result. Calls with token ids compute
// the batch that they receive.
func BatchTokens(n int) Option { return batchTokens.set(n) }

// Long sets what happens to texts that are too long.
func Long(p LongPolicy) Option {
	return func(o *Options) error { o.Long = p; return o.Check() }
}

// Special sets how the names of special tokens, such as "[SEP]", are read inside a text.
func Special(s SpecialText) Option {
	return func(o *Options) error { o.Special = s; return o.Check() }
}

// SharePool makes models share the threads of p. The models do not close the pool; close it after
// them. It contradicts PinThreads: pool.NewPinned makes a pool whose threads are bound. Open on a pool
// that is closed returns an error that wraps ErrClosed.
func SharePool(p *pool.Pool) Option {
	return func(o *Options) error { o.Pool = p; return o.Check() }
}

// PinThreads binds each of the model's own worker threads to one physical core (on Linux; elsewhere
// it does nothing). If other programs compete for the processors, Linux often leaves caller and
// worker on the same one, so that threads bring no speed; bound workers keep their speed-up. It is
// not the default because several programs that use it would choose the same cores. It contradicts
// SharePool.
func PinThreads() Option {
	return func(o *Options) error { o.Pin = true; return o.Check() }
}

// UseTokenizer replaces the tokenizer that is packed with the weights. Calls use it in the goroutine of their caller. A panic of
// the tokenizer goes through to this caller; the model still works and closes afterwards. In a generated package, a panic while a
// task is prepared, in its first call, is repeated by every later call of this task.
func UseTokenizer(t tokenizer.Tokenizer) Option {
	return func(o *Options) error { o.Tokenizer = t; return nil }
}

// Trace makes every call run f after each layer. This costs time; do not set it in production. f runs inside the forward pass:
// a panic of f ends the call, whose error wraps a *PanicError that names Trace. The model still works afterwards.
func Trace(f TraceFunc) Option { return func(o *Options) error { o.Trace = f; return nil } }

// TraceFunc receives a named intermediate result, row-major, of the given shape. data is reused
// after the function returns, so it must copy what it keeps. It must not call the model. Calls
// that run at the same time call it at the same time, each from its own goroutine.
type TraceFunc func(name string, shape []int, data []float32)

// CopyWeights copies the weights into (huge-page) memory at open instead of mapping the file. This
// costs start-up time and memory that no other process shares. It makes the model independent of
// later changes to the file.
func CopyWeights() Option { return func(o *Options) error { o.Copy = true; return nil } }

// VerifyWeights compares every tensor with the hash recorded when it was packed, before the model
// opens. The model's method CheckWeights does the same later. The option makes Open read all of the weights. For the 774 MB of a base model
// this takes 0.56 s of processor time, divided among the threads, if the file is in memory, and
// otherwise as long as the disk takes. Without it, a changed bit in a matrix goes unnoticed and
// changes results.
func VerifyWeights() Option { return func(o *Options) error { o.Verify = true; return nil } }

// SkipSelfTest opens the model without running the self-test of 8 tokens.
func SkipSelfTest() Option { return func(o *Options) error { o.SkipTest = true; return nil } }

// LongPolicy sets what happens to a text that has more tokens than the model takes: Reject, Truncate, or what Windows returns.
type LongPolicy int

// The policies without a parameter.
const (
	Reject   LongPolicy = iota // an error that states the length and the limit
	Truncate                   // cut at the end; in a pair, the longer text first
	windows                    // windows without overlap. For a stride s, the value is windows + s
)

// Windows cuts a long text into windows of the model's maximum length. Each overlaps the one before by stride tokens. In a pair the longer text is cut into
// windows, and the other one is repeated whole in every window; question answering and ranking cut the second text, zero-shot classification the first.
// [Long] refuses a negative stride. Open refuses a stride that is not below the room that a window has for a text.
// The results of the windows become one result by task:
//
//   - Labels, zero-shot classification and ranking follow [JoinWindows].
//   - Scores and choices are computed from the mean of the logits.
//   - Entities, replaced tokens and masks are taken from the window in which they lie farthest from a cut edge.
//   - An answer is the best one of all windows.
//   - A vector is the mean over the windows, weighted by their tokens.
//   - Perplexity counts each token once.
//   - Generation refuses a prompt that is too long.
func Windows(stride int) LongPolicy {
	if stride < 0 {
		return LongPolicy(stride)
	}
	return windows + LongPolicy(stride)
}

// Windowed reports whether long texts are cut into windows.
func (p LongPolicy) Windowed() bool { return p >= windows }

// Stride returns the overlap of windows in tokens, 0 for other policies.
func (p LongPolicy) Stride() int {
	if p.Windowed() {
		return int(p - windows)
	}
	return min(int(p), 0)
}

// String returns reject, truncate or windows:STRIDE.
func (p LongPolicy) String() string {
	switch p {
	case Reject:
		return "reject"
	case Truncate:
		return "truncate"
	}
	return fmt.Sprintf("windows:%d", p.Stride())
}

// ParseLong parses what LongPolicy.String returns; "windows" alone means no overlap.
func ParseLong(s string) (LongPolicy, error) {
	var stride int
	switch {
	case s == "reject":
		return Reject, nil
	case s == "truncate":
		return Truncate, nil
	case s == "windows":
		return Windows(0), nil
	}
	if n, err := fmt.Sscanf(s, "windows:%d", &stride); n == 1 && err == nil && fmt.Sprintf("windows:%d", stride) == s && stride >= 0 {
		return Windows(stride), nil
	}
	return Reject, ragged.Errorf("unknown policy %q for long texts (known: reject, truncate, windows, windows:STRIDE)", s)
}

// Join sets how the windows of a text become one result of a head for labels, of zero-shot classification or of ranking. The
// other tasks have one way each, see Windows.
type Join uint8

// The two ways to join windows.
const (
	// JoinMean averages the logits and then computes the scores. Ranking by two logits averages the scores.
	JoinMean Join = iota
	// JoinMax takes the highest score in any window, of each label or of the document. It suits labels that a small part of
	// a text decides. Scores of labels that exclude each other may then sum to more than 1. Each
	// label's logit is its highest one too.
	JoinMax
)

// JoinWindows sets how the windows of a text become one result, see [Join].
func JoinWindows(j Join) Option {
	return func(o *Options) error { o.Join = j; return o.Check() }
}

// SpecialText sets how the names of special tokens inside a text are read.
type SpecialText uint8

// The two readings.
const (
	SpecialAsText   SpecialText = iota // as characters like any others
	SpecialAsTokens                    // as the special token of that name
)
