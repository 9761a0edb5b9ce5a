// Package token turns text into the ids that a model reads, and ids back into text.
//
// Two forms of a tokenizer are read, and they do not always agree (both are in use, so both are reproduced exactly):
//
//   - FromSPM reads spm.model, a SentencePiece unigram model, and follows SentencePiece itself: its normaliser with the
//     longest match in the character map, its float32 best path over the whole text, its byte spans and its decoding.
//   - FromJSON reads tokenizer.json, the form that published DeBERTa v2 and v3 checkpoints carry: added tokens are cut
//     out first, the character map is applied per grapheme cluster, and each word has a float64 best path of its own.
//
// Text is text: by default a special token's name typed by a user ("[SEP]") is encoded as characters, whatever the
// vocabulary holds, and only the template adds special tokens. SpecialTokens asks for the names to be taken as tokens.
//
// Each byte that is not valid UTF-8 counts as U+FFFD, in both forms; offsets are bytes of the text as it was given.
//
// A loaded Tokenizer is immutable and safe for concurrent use. AppendIDs and Encode into a reused Encoding allocate
// nothing in steady state. Time is linear in the text's length: a piece is at most MaxPieceBytes long.
//
// Marshal writes a tokenizer as one flat block of bytes, and Unmarshal opens such a block in place, without an
// allocation per piece, after checking a checksum and every index in it.
//
// A word model (how one word becomes pieces) is one value behind the wordModel interface. Unigram is here; another
// algorithm is one more implementation, one more case in readModel and one more section of the flat form.
package token
