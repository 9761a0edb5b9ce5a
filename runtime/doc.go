// Package runtime holds the names that callers of a generated package use: the options of Open, what is done with a text that is too long, results, and the
// errors that a caller tests for.
//
// What else there is stands in packages below this one. For programs that do more with a model than its package offers (hidden states, pasts, traces of steps,
// packed weights) and for generated code: package engine. For own tokenizers: package tokenizer, and package token, which has implementations. For threads that
// models share: package pool. For the instruction sets: package cpu. The tasks are in package task.
package runtime
