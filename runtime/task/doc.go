// Package task is what the heads of a model mean on text: labels and entities of tokens
// ([Tagger]), answers to questions ([Answerer]), choices ([Chooser]), replaced tokens
// ([Detector]), embeddings ([Embedder]), scores ([Scorer]), filled masks ([Filler]),
// perplexity ([Perplexer]), generated text ([Generator]), labels of the caller's own
// ([ZeroShot], [Extractor]) and the order of documents ([Ranker]). Each is made from an
// open model and the name of a head and is safe for concurrent use.
//
// Texts that are too long follow the model's policy (runtime.Long). Windows never show in
// a result but as a count: where two of them hold the same token, or the same part of a
// text, the task has a rule that says which one counts. Every result says what of its
// text the model saw. How texts are batched changes no result.
//
// Texts are UTF-8. One that is not is an error that wraps runtime.ErrInput and names the
// byte, in every call and for every text that one takes: labels, questions, options,
// queries, templates, prompts, targets and stop strings too.
//
// Offsets are given in bytes, in code points and in UTF-16 code units. They never cut a code
// point in two and have no white space at their ends.
//
// Letters, as everywhere in debertac: T tokens, C outputs of a head.
package task
