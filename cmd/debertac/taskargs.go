package main

import "strconv"

// taskArgs are the flags of run that belong to some heads' tasks. They are handed on to the built program, which knows its head and what fits it;
// nil is left out.
type taskArgs struct {
	Pair              *string  `group:"Texts" placeholder:"TEXT" help:"A second text that every text is paired with."`
	Query             *string  `group:"Ranking" placeholder:"TEXT" help:"Order all texts by how well they fit, best first."`
	Sigmoid           bool     `group:"Ranking" help:"Scores from 0 to 1."`
	Positive          *string  `group:"Ranking" placeholder:"LABEL" help:"The model's label that means that a text fits."`
	Context           *string  `group:"Questions" placeholder:"TEXT" help:"What to answer from; the texts are the questions."`
	Question          *string  `group:"Questions" placeholder:"QUESTION" help:"The question; the texts are what to answer it from."`
	Options           *string  `group:"Questions" placeholder:"A,B,…" help:"Multiple choice: what to choose from."`
	NoAnswerThreshold *float64 `group:"Questions" placeholder:"X" help:"Say that there is no answer if none is better than that by more than X (logits)."`
	AnswerTokens      *int     `group:"Questions" placeholder:"N" help:"An answer has at most N tokens (30)."`
	Labels            *string  `group:"Labels of your own" placeholder:"A,B,…" help:"What to look for: a model of entailment judges each text by each label, an entity model finds their places."`
	Template          *string  `group:"Labels of your own" placeholder:"SENTENCE" help:"What says that a label fits, {} in the label's place."`
	Multi             bool     `group:"Labels of your own" help:"Several labels may fit."`
	Entailment        *string  `group:"Labels of your own" placeholder:"LABEL" help:"The model's label for entailment."`
	Contradiction     *string  `group:"Labels of your own" placeholder:"LABEL" help:"The model's label for contradiction."`
	Threshold         *string  `group:"Entities and tokens" placeholder:"P,LABEL=P,…" help:"Probability from which an entity is found, a label holds or a token counts as replaced (0.5); LABEL=P for single labels."`
	Nested            bool     `group:"Entities and tokens" help:"Entities may lie inside each other."`
	MultiLabel        bool     `group:"Entities and tokens" help:"The same words may have several labels."`
	Aggregate         *string  `group:"Entities and tokens" placeholder:"none|simple|first|average|max" help:"How tokens are joined to entities (simple)."`
	BIO               bool     `name:"bio" group:"Entities and tokens" help:"Only sequences of labels that their B- and I- allow (Viterbi)."`
	Targets           *string  `group:"Masks and text" placeholder:"A,B,…" help:"Only these words may fill a mask."`
	Perplexity        bool     `group:"Masks and text" help:"How well the model predicts each text."`
	MaxNewTokens      *int     `group:"Masks and text" placeholder:"N" help:"Generate at most N tokens (64)."`
	Temperature       *float64 `group:"Masks and text" placeholder:"T" help:"0 takes the likeliest token; higher lets others through (0)."`
	TopK              *int     `group:"Masks and text" placeholder:"K" help:"With --temperature: draw from the K likeliest tokens only."`
	TopP              *float64 `group:"Masks and text" placeholder:"P" help:"With --temperature: draw from the likeliest tokens that sum up to P only."`
	Seed              *uint64  `group:"Masks and text" placeholder:"NUMBER" help:"With --temperature: decides what is drawn (1)."`
	Samples           *int     `group:"Masks and text" placeholder:"N" help:"With --temperature: generated texts a prompt (1)."`
	Stop              *string  `group:"Masks and text" placeholder:"A,B,…" help:"Strings that end a generated text."`
	Pooling           *string  `group:"Embeddings" placeholder:"mean|first" help:"How a vector a token becomes one a text (mean)."`
	Normalize         bool     `group:"Embeddings" help:"Divide each by its length; models whose folder does so do it anyway."`
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
