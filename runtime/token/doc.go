// Package token turns text into the ids that a model reads, and ids back into text.
//
// Published models carry their tokenizers in forms that do not always agree (all are in use, so each is reproduced exactly):
//
//   - FromSPM reads spm.model, a SentencePiece unigram model, and follows SentencePiece itself: its normaliser with the
//     longest match in the character map, its float32 best path over the whole text, its byte spans and its decoding.
//   - FromJSON reads tokenizer.json: added tokens are cut out first, the normaliser's and the pre-tokenizer's steps follow,
//     and each word is cut by the model, which is unigram (with a float64 best path a word), byte-level BPE or WordPiece.
//   - FromBPE reads vocab.json with merges.txt and FromWordPiece vocab.txt, the older files of DeBERTa v1, RoBERTa and BERT,
//     as the tokenizer.json that these models were later published with.
//
// Text is text: by default a special token's name typed by a user ("[SEP]") is encoded as characters, whatever the
// vocabulary holds, and only the template adds special tokens. SpecialTokens asks for the names to be taken as tokens.
//
// Each byte that is not valid UTF-8 counts as U+FFFD, in all forms; offsets are bytes of the text as it was given.
//
// A loaded Tokenizer is immutable and safe for concurrent use. AppendIDs and Encode into a reused Encoding allocate
// nothing in steady state. Time is linear in the text's length: a piece is at most MaxPieceBytes long. (Byte-level BPE takes
// n log n steps for a word of n bytes.)
//
// Marshal writes a tokenizer as one flat block of bytes, and Unmarshal opens such a block in place, without an
// allocation per piece, after checking a checksum and every index in it.
//
// A word model (how one word becomes pieces) is one value behind the wordModel interface: unigram, byte-level BPE,
// WordPiece. Another algorithm is one more implementation, one more case in readModel and one more section of the flat form.
package token
