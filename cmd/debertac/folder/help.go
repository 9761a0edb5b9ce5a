package folder

// Help returns the help texts that are too long for tags. The tag of such a flag has @ and the name of the text.
func Help() map[string]string {
	return map[string]string{
		"folder_drawn_tokenizer": "Tokenizer for a spec with --random-weights, or for a model folder that has none: a folder, or a file tokenizer.json, " +
			"spm.model or vocab.txt.",
		"folder_head": "What to compute. For a model folder: classify, score, zero-shot, rank, tag, answer, choose, embed, fill-mask, emd, perplexity, " +
			"generate, rtd, entities, own-labels or extract; default: what config.json names. For a spec whose target emits several heads: the name of one.",
		"folder_pool": "With --head embed: how the vectors of tokens become one vector per text, inside the model; none keeps one vector per token. " +
			"Default: the folder's setting, else mean.",
		"folder_mask":   "With --head fill-mask, perplexity or generate: which tokens each token sees. Default: all; with --head generate causal.",
		"folder_ignore": "Read the folder as if this were not there: a FIELD of config.json, a FILE, or FILE:FIELD. May be given several times.",
		"pack_adapter":  "Pack a low-rank adapter beside the weights, which calls choose by this name. Give it once per adapter.",
		"folder_rank": "Let calls choose low-rank adapters of up to this rank, which pack --adapter puts beside the weights. Programs and weights of one " +
			"model need the same rank.",
		"folder_vectors": "Let results have vectors: of tokens, of labels, and of what is found. Programs and weights of one model need the same setting.",
		"folder_precision": "Number format of the weights: bf16 takes half the memory and about half the time, and results differ in the third or fourth " +
			"digit. Programs and weights of one model need the same setting. Default: f32.",
		"folder_seq": "The longest text that the program is built for. Default: the rows of absolute positions if the model reads them, else the limit of " +
			"the published model.",
	}
}
