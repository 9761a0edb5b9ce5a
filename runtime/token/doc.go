// Package token turns text into the ids that a model reads, and ids back into text.
//
// Published models carry their tokenizers in several forms, which do not always agree. All are in use, so each is reproduced
// exactly:
//
//   - FromSPM reads spm.model, a SentencePiece unigram model, and follows SentencePiece itself: its normalizer with the
//     longest match in the character map, its float32 best path over the whole text, its byte spans and its decoding.
//   - FromJSON reads tokenizer.json. Added tokens are cut out first. The steps of the normalizer and the pre-tokenizer
//     follow. The model then cuts each word; it is unigram (with a float64 best path per word), byte-level BPE or WordPiece.
//   - FromBPE reads vocab.json with merges.txt, and FromWordPiece reads vocab.txt. These are the older files of DeBERTa v1,
//     RoBERTa and BERT. They are read as the tokenizer.json that these models were later published with.
//
// By default, a special token's name in a text, such as "[SEP]" typed by a user, is encoded as characters, whatever the
// vocabulary holds. Only the runtime adds special tokens; it reads them from the template. The mode SpecialTokens reads the
// names as tokens.
//
// Each byte that is not valid UTF-8 counts as U+FFFD, in all forms. Offsets are in bytes of the original text.
//
// A loaded Tokenizer is immutable and safe for concurrent use. AppendIDs and AppendSpans into reused memory allocate
// nothing in steady state. Time is linear in the text's length, because a piece is at most MaxPieceBytes long. (Byte-level
// BPE takes n log n steps for a word of n bytes.)
//
// Marshal writes a tokenizer as one flat block of bytes. Unmarshal opens such a block in place, without an allocation per
// piece, after checking a checksum and every index in it.
//
// A word model turns one word into pieces. It is one value with the interface wordModel: unigram, byte-level BPE or
// WordPiece. Another algorithm needs another implementation, another case in readModel and another section of the flat form.
package token
