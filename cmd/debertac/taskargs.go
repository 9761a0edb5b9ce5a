package main

import "strconv"

// taskArgs are the flags of run that belong to some heads' tasks. They are handed on to the built program, which knows its head and what fits it;
// nil is left out.
type taskArgs struct {
	Pair              *string  `group:"Texts" placeholder:"TEXT" help:"Second text, paired with every text."`
	Query             *string  `group:"Ranking" placeholder:"TEXT" help:"Order all texts by how well they fit this query, best first."`
	Sigmoid           bool     `group:"Ranking" help:"Print scores from 0 to 1."`
	Positive          *string  `group:"Ranking" placeholder:"LABEL" help:"Label of the model that means that a text fits, if its name does not tell."`
	Context           *string  `group:"Questions" placeholder:"TEXT" help:"Text to answer from; the arguments are questions."`
	Question          *string  `group:"Questions" placeholder:"QUESTION" help:"Question; the arguments are texts to answer it from."`
	Options           *string  `group:"Questions" placeholder:"A,B,…" help:"Multiple choice: options to choose from."`
	NoAnswerThreshold *float64 `group:"Questions" placeholder:"X" help:"Report no answer unless the best one beats it by more than X, in logits."`
	AnswerTokens      *int     `group:"Questions" placeholder:"N" help:"Longest answer, in tokens (30)."`
	Labels            *string  `group:"Labels of your own" placeholder:"A,B,…" help:"Labels of your own: an NLI model scores each text for each label, an entity model finds spans of them."`
	Template          *string  `group:"Labels of your own" placeholder:"SENTENCE" help:"Sentence that says that a label fits, with {} in the place of the label."`
	Multi             bool     `group:"Labels of your own" help:"Several labels may fit: score each label by itself."`
	Entailment        *string  `group:"Labels of your own" placeholder:"LABEL" help:"Label of the model that means entailment, if its name does not tell."`
	Contradiction     *string  `group:"Labels of your own" placeholder:"LABEL" help:"Label of the model that means contradiction, if its name does not tell."`
	Threshold         *string  `group:"Entities and tokens" placeholder:"P,LABEL=P,…" help:"Smallest probability of an entity, of a label that holds, or of a replaced token (0.5); LABEL=P for single labels."`
	Nested            bool     `group:"Entities and tokens" help:"Allow entities inside entities."`
	MultiLabel        bool     `group:"Entities and tokens" help:"Allow several labels for the same words."`
	Aggregate         *string  `group:"Entities and tokens" placeholder:"none|simple|first|average|max" help:"How labels of tokens are joined to entities (simple)."`
	BIO               bool     `name:"bio" group:"Entities and tokens" help:"Allow only sequences of labels that B- and I- permit (Viterbi)."`
	Targets           *string  `group:"Masks and text" placeholder:"A,B,…" help:"Words that may fill a mask. Default: all."`
	Perplexity        bool     `group:"Masks and text" help:"Measure how well the model predicts each text."`
	MaxNewTokens      *int     `group:"Masks and text" placeholder:"N" help:"Tokens to generate at most (64)."`
	Temperature       *float64 `group:"Masks and text" placeholder:"T" help:"0 takes the likeliest token; more makes less likely tokens more frequent (0)."`
	TopK              *int     `group:"Masks and text" placeholder:"K" help:"With --temperature: draw from the K likeliest tokens."`
	TopP              *float64 `group:"Masks and text" placeholder:"P" help:"With --temperature: draw from the likeliest tokens whose probabilities add up to P."`
	Seed              *uint64  `group:"Masks and text" placeholder:"NUMBER" help:"With --temperature: seed of the random numbers (1)."`
	Samples           *int     `group:"Masks and text" placeholder:"N" help:"With --temperature: texts to generate per prompt (1)."`
	Stop              *string  `group:"Masks and text" placeholder:"A,B,…" help:"Strings that end a generated text."`
	Pooling           *string  `group:"Embeddings" placeholder:"mean|first" help:"For models that return one vector per token (--pool none, or a spec): how they become one vector per text (mean)."`
	Normalize         bool     `group:"Embeddings" help:"Scale each vector to length 1. Models whose folder asks for it do so anyway."`
	Prompt            *string  `group:"Embeddings" placeholder:"NAME" help:"The name of the model's prompt that is put in front of each text (the one that its folder names)."`
	NoPrompt          bool     `group:"Embeddings" help:"Put no prompt in front of texts."`
}

// flags are the arguments of the built program.
func (t *taskArgs) flags() []flag {
	list := []flag{
		textFlag("--pair", t.Pair), textFlag("--query", t.Query), boolFlag("--sigmoid", t.Sigmoid), textFlag("--positive", t.Positive), textFlag("--context", t.Context), textFlag("--question", t.Question),
		textFlag("--options", t.Options), realFlag("--no-answer-threshold", t.NoAnswerThreshold), numberFlag("--answer-tokens", t.AnswerTokens),
		textFlag("--labels", t.Labels), textFlag("--template", t.Template), boolFlag("--multi", t.Multi), textFlag("--entailment", t.Entailment), textFlag("--contradiction", t.Contradiction),
		textFlag("--threshold", t.Threshold), boolFlag("--nested", t.Nested), boolFlag("--multi-label", t.MultiLabel), textFlag("--aggregate", t.Aggregate), boolFlag("--bio", t.BIO),
		textFlag("--targets", t.Targets), boolFlag("--perplexity", t.Perplexity), numberFlag("--max-new-tokens", t.MaxNewTokens), realFlag("--temperature", t.Temperature),
		numberFlag("--top-k", t.TopK), realFlag("--top-p", t.TopP), numberFlag("--samples", t.Samples), textFlag("--stop", t.Stop),
		textFlag("--pooling", t.Pooling), boolFlag("--normalize", t.Normalize), textFlag("--prompt", t.Prompt), boolFlag("--no-prompt", t.NoPrompt),
	}
	if t.Seed != nil {
		list = append(list, flag{"--seed", strconv.FormatUint(*t.Seed, 10)})
	}
	return list
}

// numberFlag, realFlag and textFlag are flags that are left out when they were not given; 0 and the empty text are values.
func numberFlag(name string, n *int) flag {
	if n == nil {
		return flag{}
	}
	return flag{name, strconv.Itoa(*n)}
}

func realFlag(name string, x *float64) flag {
	if x == nil {
		return flag{}
	}
	return flag{name, strconv.FormatFloat(*x, 'g', -1, 64)}
}

func textFlag(name string, text *string) flag {
	switch {
	case text == nil:
		return flag{}
	case *text == "":
		return flag{name: name + "="} // empty, which the program may refuse, and not left out
	}
	return flag{name, *text}
}
