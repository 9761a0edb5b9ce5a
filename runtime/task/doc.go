// Package task turns the raw outputs of model heads into results on text: labels and entities of
// tokens ([Tagger]), answers to questions ([Answerer]), choices ([Chooser]), replaced tokens
// ([Detector]), embeddings ([Embedder]), scores ([Scorer]), filled masks ([Filler]), perplexity
// ([Perplexer]), generated text ([Generator]), labels that the caller chooses ([ZeroShot],
// [Matcher], [Extractor]), what a schema asks for ([SchemaExtractor]) and documents in the order of
// their relevance ([Ranker]). Each is made from an open
// model and the name of a head and is safe for concurrent use.
//
// The model's policy (runtime.Long) decides what happens to texts that are too long. A result shows
// windows only as a count. If two windows hold the same token, or the same part of a text, the task
// has a rule for which window counts. Every result reports how much of its text the model saw. How
// texts are batched changes no result.
//
// Texts must be valid UTF-8. Other texts are an error, which wraps runtime.ErrInput and names the
// byte. This holds for every call and for every text of a call: also for labels, questions,
// options, queries, templates, prompts, targets and stop strings.
//
// Offsets are in bytes, in code points and in UTF-16 code units. They never cut a code point in two
// and exclude white space at both ends.
//
// Letters for shapes, as everywhere in debertac: T tokens, C outputs of a head.
package task
