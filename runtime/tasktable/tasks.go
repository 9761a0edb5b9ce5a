package tasktable

// The tasks.
const (
	Labels   Task = "labels"
	Tags     Task = "tags"
	Span     Task = "span"
	Choices  Task = "choices"
	Score    Task = "score"
	MLM      Task = "mlm"
	Replaced Task = "replaced"
	Entities Task = "entities"
	// OwnLabels scores a text against labels that are given with it.
	OwnLabels Task = "own_labels"
	Vector    Task = "vector"
	Hidden    Task = "hidden"
)

// Parameters and comments that several verbs share.
const (
	inTexts = "ctx context.Context, texts []string"
	inPairs = "ctx context.Context, pairs [][2]string"

	inZeroShot = "ctx context.Context, texts []string, labels []string, o ZeroShotOptions"
	docEntail  = "labels texts with any labels (zero-shot classification): each text is a premise, each label in a sentence a hypothesis, " +
		"and the model judges whether the one entails the other."
)

// Extract finds what the tasks of a schema ask for. Its heads have several outputs.
const (
	Extract Task = "extract"

	ClassOutput = "classes" // a number for each marker
	CountOutput = "counts"  // a number for each count, for each marker
	SpanOutput  = "spans"   // a number for each width, for each word and query
)

// The names of further outputs of heads for the task Extract, which score boundaries, and how many numbers a boundary has for each query.
const (
	BoundOutput  = "bounds" // start, end, inside
	PoolOutput   = "pool"   // the first boundary of each candidate and the last one
	PairOutput   = "pairs"
	AbsentOutput = "absent"
	BoundColumns = 3
)

// Chosen reports whether an output follows from which candidates a head chooses. Where two are as good, rounding decides between them, and all numbers of the
// candidates differ.
func Chosen(output string) bool { return output == PoolOutput || output == PairOutput }

// The names of outputs with vectors, which a program has if its target asks for them.
const (
	TokenVectors = "vectors.tokens" // the last hidden state of each token
	WordVectors  = "vectors.words"  // of heads that do not score spans: what the head reads of each word
	LabelVectors = "vectors.labels" // what the head compares texts with; of a schema: the last hidden state of each marker
	FieldVectors = "vectors.fields" // of a schema: what spans are compared with, for each query
	TextVectors  = "vectors.text"   // what labels are compared with
	// The vector of a span from word i to word j is SpanWeight · relu(first_i + last_j) + SpanBias. Both tensors are in the packed weights, [H, 4H] and [H].
	FirstVectors = "vectors.first"
	LastVectors  = "vectors.last"
	SpanWeight   = "span.weight"
	SpanBias     = "span.bias"
)

// Table lists the tasks. Messages list the tasks in this order.
var Table = []Row{
	{
		Task: Labels, Kind: "classify", Numbers: "one logit per label, [B, C]",
		As: AsLabels, Take: []Take{TakeFirst, TakeMean}, Losses: []string{CrossEntropy, BinaryCrossEntropy, Focal},
		TakeMisfit: noLabels, LossMisfit: noQuantities,
		Startless: true, Mean: MeanOfProbabilities,
		Direct: Service{
			Name: "Classifier", Types: []Type{{"Classification", "the result for one text"}},
			Verbs: []Verb{
				{Name: "Classify", In: inTexts, Out: "[]Classification, error",
					Doc:   "labels texts; results come in input order. How texts are batched never changes a result.",
					Start: &Start{Doc: "labels the texts of its arguments", Args: "TEXT …", Least: 3}},
				{Name: "ClassifyInto", In: "ctx context.Context, dst []Classification, texts []string", Out: "error",
					Doc: "does the same as Classify and writes to dst, which must be as long as texts. " +
						"It reuses the memory of dst and allocates nothing in steady state."},
				{Name: "ClassifyPairs", In: inPairs, Out: "[]Classification, error", Doc: "labels pairs of texts, such as premise and hypothesis.",
					Start: &Start{Doc: "tells whether a premise entails a hypothesis", Args: "PREMISE HYPOTHESIS", Least: 4, When: Entailing}},
				{Name: "Labels", Out: "[]string", Doc: "returns the labels in the order of the logits."},
			},
		},
		Services: []Service{zeroShot, zeroShotByCall},
		Also:     []string{"Scorer", "Ranker"},
		Flags: []string{"top", "accuracy", "min-accuracy", "pair", "query", "sigmoid", "positive", "labels", "template", "multi", "entailment", "contradiction",
			"threshold",
			"join", "label-field"},
		Page: "classify.md", Sample: `take first; linear hidden; act; linear 3 as labels("no", "maybe", "yes"); loss cross_entropy`,
	},
	{
		Vectors: true, Task: Tags, Kind: "tag", Numbers: "one logit per label, for each token, [T, C], or word, [W, C]",
		As: AsLabels, Take: []Take{TakeEach, TakeEachFirst, TakeWords}, Losses: []string{CrossEntropy, BinaryCrossEntropy, Focal},
		TakeMisfit: noLabels, LossMisfit: noQuantities,
		Grows: true, Mean: MeanOfProbabilities,
		Services: []Service{{
			Name: "Tagger", Use: "tagging", Field: "tagging",
			Types: []Type{{"TagOptions", "the settings of Tag"}, {"Tagged", "the result for one text: entities, and a label for each token"}},
			Verbs: []Verb{{
				Name: "Tag", In: inTexts + ", o TagOptions", Out: "[]Tagged, error",
				Doc:   "finds entities in texts by the labels of their tokens; results come in input order.",
				Start: &Start{Doc: "finds entities in the texts of its arguments", Args: "TEXT …", Least: 3},
			}},
		}},
		Flags: []string{"threshold", "aggregate", "bio"},
		Page:  "tag.md", Sample: `take each; linear 3 as labels("O", "B-PER", "I-PER"); loss cross_entropy`,
	},
	{
		Task: Span, Kind: "answer", Numbers: "the logits of start and end of an answer, for each token, [T, 2]",
		Asks: true, Wants: "context",
		As: AsSpan, Take: []Take{TakeEach}, Columns: 2, Losses: []string{CrossEntropy}, TakeMisfit: noSpan, LossMisfit: noSpan,
		Mean: MeanOfLogits,
		Services: []Service{{
			Name: "Answerer", Use: "question answering", Field: "answering",
			Types: []Type{{"Question", "a question about a context"}, {"AnswerOptions", "the settings of Answer"},
				{"Answered", "the result for one question"}},
			Verbs: []Verb{{
				Name: "Answer", In: "ctx context.Context, questions []Question, o AnswerOptions", Out: "[]Answered, error",
				Doc:   "answers each question with parts of its context, the best first.",
				Start: &Start{Doc: "answers a question from a context", Args: "QUESTION CONTEXT", Least: 4},
			}},
		}},
		Flags: []string{"top", "context", "question", "no-answer-threshold", "answer-tokens", "question-field", "context-field"},
		Page:  "answer.md", Sample: "take each; linear 2 as span; loss cross_entropy",
	},
	{
		Task: Choices, Kind: "choose", Numbers: "one logit per sequence, [B, 1]; the choices of a question are sequences beside each other",
		Asks: true, Wants: "options",
		As: AsChoices, Take: []Take{TakeFirst, TakeMean}, Columns: 1, Losses: []string{CrossEntropy}, TakeMisfit: noChoice, LossMisfit: noChoice,
		Startless: true, Mean: MeanOfLogits,
		Services: []Service{{
			Name: "Chooser", Use: "multiple choice", Field: "choosing",
			Types: []Type{{"ChoiceQuestion", "a question with options"}, {"Choice", "the result for one question"}},
			Verbs: []Verb{{
				Name: "Choose", In: "ctx context.Context, questions []ChoiceQuestion", Out: "[]Choice, error",
				Doc:   "chooses among the options of each question.",
				Start: &Start{Doc: "chooses among the answers to a question", Args: "QUESTION OPTION OPTION …", Least: 5},
			}},
		}},
		Also:  []string{"Ranker"},
		Flags: []string{"top", "context", "question", "options", "question-field", "context-field", "options-field"},
		Page:  "choose.md", Sample: "take first; linear hidden; act; linear 1 as choices; loss cross_entropy",
	},
	{
		Task: Score, Kind: "score", Numbers: "one number per sequence, [B, 1]",
		As: AsScore, Take: []Take{TakeFirst, TakeMean}, Columns: 1, Losses: []string{BinaryCrossEntropy, MeanSquaredError, Pairwise, Listwise},
		TakeMisfit: noScoreRows, LossMisfit: noScore,
		Startless: true,
		Services: []Service{
			{
				Name: "Scorer", Use: "scoring", Field: "scoring", Types: []Type{{"Score", "the result for one text or pair"}},
				Verbs: []Verb{
					{Name: "Score", In: inTexts, Out: "[]Score, error", Doc: "returns one number per text; results come in input order.",
						Start: &Start{Doc: "scores the texts of its arguments", Args: "TEXT …", Least: 3}},
					{Name: "ScorePairs", In: inPairs, Out: "[]Score, error", Doc: "returns one number per pair of texts, such as a prompt and an answer."},
				},
			},
			{
				Name: "Ranker", Use: "ranking", Field: "ranking", Types: []Type{{"RankOptions", "the settings of Rank"},
					{"Ranked", "a document with its score"}},
				Verbs: []Verb{{
					Name: "Rank", In: "ctx context.Context, query string, documents []string, o RankOptions", Out: "[]Ranked, error",
					Doc:   "orders documents by how well they fit a query, the best first.",
					Start: &Start{Doc: "orders documents by how well they fit a query", Args: "QUERY DOCUMENT …", Least: 4, Head: "rank"},
				}},
			},
		},
		Flags: []string{"top", "pair", "query", "sigmoid", "join"},
		Page:  "score.md", Sample: "take first; linear hidden; act; linear 1 as score; loss mean_squared_error",
	},
	{
		Task: MLM, Kind: "fill-mask", Numbers: "one logit per entry of the vocabulary, for each chosen token, [M, V], or each token, [T, V]",
		Take: []Take{TakeMasked, TakeEach}, Claims: []Take{TakeMasked}, Columns: VocabColumns, Tied: true, Losses: []string{CrossEntropy},
		LossMisfit:    Misfit{"masked tokens are predicted from the vocabulary, which is a choice: LOSS does not fit", "loss cross_entropy"},
		ColumnsMisfit: Misfit{"masked tokens are predicted from the vocabulary, but the head has another number of columns", "linear vocab tied embed.token"},
		Grows:         true, Mean: NoMean,
		Services: []Service{
			{
				Name: "Perplexer", Use: "perplexity", Field: "measuring", Types: []Type{{"Perplexity", "how well the model predicts one text"}},
				Verbs: []Verb{
					{Name: "Perplexity", Method: "Measure", In: inTexts, Out: "[]Perplexity, error",
						Doc:   "reports how well the model predicts texts; results come in input order.",
						Start: &Start{Doc: "tells how well the model predicts the texts of its arguments", Args: "TEXT …", Least: 3, Head: "perplexity"}},
					{Name: "PerplexityPairs", Method: "MeasurePairs", In: inPairs, Out: "[]Perplexity, error",
						Doc: "reports how well the model predicts the second text of each pair where the first is given."},
				},
			},
			{
				Name: "Generator", Use: "generating text", Field: "generating", When: Causal,
				Types: []Type{{"GenerateOptions", "the settings of Generate"}, {"Generated", "one generated text"}},
				Verbs: []Verb{{
					Name: "Generate", In: "ctx context.Context, prompts []runtime.Text, o GenerateOptions", Out: "[]Generated, error",
					Doc:   "continues texts, or turns them into others if the model's mask has a prefix.",
					Start: &Start{Doc: "continues the texts of its arguments", Args: "TEXT …", Least: 3, Runtime: true},
				}},
			},
			{
				Name: "Filler", Use: "filling masks", Field: "filling", When: Uncausal,
				Types: []Type{{"FillOptions", "the settings of Fill"}, {"Filled", "the result for one text"}},
				Verbs: []Verb{{
					Name: "Fill", In: inTexts + ", o FillOptions", Out: "[]Filled, error",
					Doc:   "finds tokens for the masks that are written in texts, such as [MASK]; results come in input order.",
					Start: &Start{Doc: "fills the masks in the texts of its arguments", Args: "TEXT …", Least: 3},
				}},
			},
		},
		Flags: []string{"top", "pair", "targets", "perplexity", "max-new-tokens", "temperature", "top-k", "top-p", "seed", "samples", "stop"},
		Page:  "fill-mask.md", Sample: "take masked; linear hidden; act; norm; linear vocab tied embed.token; loss cross_entropy",
	},
	{
		Task: Replaced, Kind: "rtd", Numbers: "the logit of \"this token was replaced\", [T, 1]",
		Take: []Take{TakeEach, TakeEachFirst}, Claims: []Take{TakeEachFirst}, Columns: 1, Judged: true, Losses: []string{BinaryCrossEntropy, Focal},
		LossMisfit: notOne, ColumnsMisfit: notOne,
		Mean: MeanOfProbabilities,
		Services: []Service{{
			Name: "Detector", Use: "detecting replaced tokens", Field: "detecting", Types: []Type{{"Detection", "the result for one text"}},
			Verbs: []Verb{{
				Name: "Detect", In: inTexts + ", threshold float64", Out: "[]Detection, error",
				Doc:   "tells which tokens of texts seem to be replaced: those with a probability above the threshold.",
				Start: &Start{Doc: "tells how probable it is that each token of its arguments was replaced", Args: "TEXT …", Least: 3},
			}},
		}},
		Flags: []string{"threshold"},
		Page:  "replaced.md", Sample: "take each + first; norm; linear hidden; act; linear 1; loss binary_cross_entropy",
	},
	{
		Vectors: true, Task: Entities, Kind: "entities", Numbers: "the logits of spans, or of start, end and inside, for each word and label, [G, C]",
		Wants: "labels",
		As:    AsEntities, Take: []Take{TakeWords}, Columns: EntityColumns, Losses: []string{BinaryCrossEntropy, Focal},
		TakeMisfit: Misfit{"spans and tokens score words", "take words(first)"},
		LossMisfit: Misfit{"every label is judged by itself", "loss binary_cross_entropy"},
		Pairs:      true, Mean: NoMean,
		Services: []Service{{
			Name: "Extractor", Use: "entity extraction", Field: "extracting",
			Types: []Type{{"EntityOptions", "the settings of Entities"}, {"EntityInput", "a text with labels of its own"},
				{"Extraction", "the result for one text"}},
			Verbs: []Verb{{
				Name: "Entities", In: "ctx context.Context, texts []string, labels []string, o EntityOptions", Out: "[]Extraction, error",
				Doc: "finds entities of the given labels in texts; results come in input order.",
				Start: &Start{Doc: "finds entities of the labels of its first argument in the other ones", Args: "LABEL,LABEL TEXT …", Least: 4,
					Imports: []string{"strings"}},
			}, {
				Name: "EntitiesEach", In: "ctx context.Context, inputs []EntityInput, o EntityOptions", Out: "[]Extraction, error",
				Doc: "finds entities in texts that have labels of their own. The result of a text does not depend on the others.",
			}},
		}},
		Fields: []string{"threshold", "thresholds", "nested", "multi_label"},
		Flags:  []string{"labels", "threshold", "nested", "multi-label", "labels-field"},
		Page:   "gliner.md", Sample: `take words(first); linear 32; prompt labels mark "<<ENT>>" end "<<SEP>>"; spans <= 3 markers; loss binary_cross_entropy`,
	},
	{
		Vectors: true, Task: OwnLabels, Kind: "own-labels", Numbers: "one logit for each label of a text, [W, 1]",
		Wants: "labels", Fields: []string{"prompt", "examples", "threshold", "classification_type", "max_length", "return_hierarchical"},
		As: AsOwnLabels, Take: []Take{TakeLabels}, Claims: []Take{TakeLabels}, Columns: 1, Losses: []string{BinaryCrossEntropy, Focal},
		TakeMisfit:    Misfit{"a score compares a text with labels", "take labels(first)"},
		LossMisfit:    Misfit{"every label is judged by itself", "loss binary_cross_entropy"},
		ColumnsMisfit: Misfit{"a label has one number", "score layers 256, 128"},
		Mean:          NoMean,
		Services: []Service{{
			Name: "Matcher", Use: "classification by labels of your own", Field: "matching",
			Types: []Type{{"MatchOptions", "the settings of Match"}, {"MatchInput", "a text with labels, a prompt and examples of its own"},
				{"Matched", "the result for one text"}},
			Verbs: []Verb{
				{
					Name: "Match", In: "ctx context.Context, texts []string, labels []string, o MatchOptions", Out: "[]Matched, error",
					Doc: "scores texts against the given labels; results come in input order.",
					Start: &Start{Doc: "scores the labels of its first argument for the texts of the other ones", Args: "LABEL,LABEL TEXT …", Least: 4,
						Imports: []string{"strings"}},
				},
				{
					Name: "MatchEach", In: "ctx context.Context, inputs []MatchInput, o MatchOptions", Out: "[]Matched, error",
					Doc: "scores each text against labels of its own. The numbers of a text do not depend on the others.",
				},
			},
		}},
		Flags: []string{"labels", "threshold", "single-label", "instruction", "labels-field"},
		Page:  "gliclass.md",
		Sample: `take labels(first); prompt labels mark "<<LABEL>>" end "<<SEP>>"; text first; linear hidden; act; linear hidden; score layers 16, 8; ` +
			`loss binary_cross_entropy`,
	},
	{
		Vectors: true, Task: Extract, Kind: "extract",
		Numbers: "the logits of classes and counts for each marker, [C, 1] and [C, N], and of spans for each word and query, [G, K]",
		As:      AsSchema, Take: []Take{TakeWords}, Losses: []string{BinaryCrossEntropy},
		TakeMisfit: Misfit{"spans score words", "take words(first)"},
		LossMisfit: Misfit{"every class and every span is judged by itself; counts have the cross entropy", "loss binary_cross_entropy"},
		Wants:      "schema", Instead: []string{"labels", "classify"},
		Fields: []string{"schema", "threshold", "overlap_policy", "include_confidence", "include_spans", "max_len", "chunk_size", "chunk_overlap",
			"word_splitter"},
		Mean: NoMean,
		Services: []Service{{
			Name: "SchemaExtractor", Use: "extraction by a schema", Field: "extractingSchema",
			Types: []Type{{"Schema", "what Extract looks for"}, {"ExtractOptions", "the settings of Extract"},
				{"ExtractInput", "a text with a schema of its own"}, {"Extracted", "the result for one text"}},
			Verbs: []Verb{
				{
					Name: "Extract", In: "ctx context.Context, texts []string, schema *Schema, o ExtractOptions", Out: "[]Extracted, error",
					Doc: "finds what a schema asks for in texts; results come in input order.",
					Start: &Start{Doc: "finds entities of the labels of its first argument in the other ones", Args: "LABEL,LABEL TEXT …", Least: 4,
						Imports: []string{"strings"}, Packages: []string{"extraction"}},
				},
				{
					Name: "ExtractEach", In: "ctx context.Context, inputs []ExtractInput, o ExtractOptions", Out: "[]Extracted, error",
					Doc: "finds in each text what a schema of its own asks for. The result of a text does not depend on the others.",
				},
			},
		}},
		Flags: []string{"schema", "labels", "classify", "threshold", "overlap", "chunk-size", "chunk-overlap", "labels-field"},
		Page:  "gliner2.md",
		Sample: `take words(first); prompt schema; classes layers 16; counts 4 layers 16; gru 4 steps; fields layers 16; spans <= 3 markers; ` +
			`loss binary_cross_entropy`,
	},
	{
		Task: Vector, Kind: "embed", Numbers: "a vector for each sequence, [B, C]",
		Take: []Take{TakeFirst, TakeMean}, Losses: []string{CrossEntropy, BinaryCrossEntropy, MeanSquaredError, Contrastive, CosineSimilarity}, Startless: true,
		Services: []Service{embedder},
		Flags:    []string{"pair", "normalize", "prompt", "no-prompt"},
		Page:     "embed.md", Sample: "take mean",
	},
	{
		Task: Hidden, Kind: "embed without pooling",
		Numbers: "the rows of the last layer, or a head's numbers for each row that it reads, [T, C], [M, C] or [W, C]",
		Take:    []Take{TakeEach, TakeEachFirst, TakeMasked, TakeWords}, Losses: []string{CrossEntropy, BinaryCrossEntropy, MeanSquaredError},
		Startless: true, Grows: true,
		Raw: Verb{Name: "Hidden",
			Doc: "computes one row of %[1]d numbers per token, [T, %[1]d], for token ids; dst must have that length. It allocates nothing."},
		Services: []Service{embedder, bertScorer},
		Flags:    []string{"pair", "pooling", "normalize", "prompt", "no-prompt", "bert-score", "baseline", "idf"},
		Page:     "embed.md", Sample: "take each",
	},
}

// zeroShot labels texts with the caller's own labels, if the name of a label of the model tells that it means entailment.
var zeroShot = Service{
	Name: "ZeroShot", Use: "zero-shot classification", Field: "entailing", Options: "NLIOptions", When: Entailing, Types: zeroShotTypes,
	Verbs: []Verb{{
		Name: "Entail", Method: "Classify", In: inZeroShot, Out: "[]ZeroShotResult, error", Doc: docEntail,
		Start: &Start{Doc: "labels texts with the labels of its first argument", Args: "LABEL,LABEL TEXT …", Least: 4,
			Imports: []string{"strings"}, Head: "zero-shot", When: Entailing},
	}},
}

// zeroShotByCall does the same as zeroShot for models whose labels have numbers as names.
var zeroShotByCall = Service{
	Name: "ZeroShot", Use: "zero-shot classification", Field: "entailing", Maker: "NewZeroShotByCall", When: Numbered, Types: zeroShotTypes,
	Verbs: []Verb{{
		Name: "Entail", Method: "Classify", In: inZeroShot, Given: `Entailment: "LABEL_0"`, Out: "[]ZeroShotResult, error",
		Doc: docEntail + " The labels have numbers for names, so o.Entailment must name the one that means entailment.",
		Start: &Start{Doc: "labels texts with the labels of its second argument; " +
			"its first one is the label of the model that means entailment, by name or number",
			Args: "ENTAILMENT LABEL,LABEL TEXT …", Least: 5, Imports: []string{"strings"}, Head: "zero-shot", When: Numbered, Template: "EntailNamed"},
	}},
}

// zeroShotTypes are the types of both.
var zeroShotTypes = []Type{{"ZeroShotOptions", "the settings of Entail"}, {"ZeroShotResult", "a text with labels of the caller's own"}}

// embedder makes vectors of texts, for heads with one row per sequence or per token.
var embedder = Service{
	Name: "Embedder", Use: "embedding", Field: "embedding", When: WholeTexts,
	Types: []Type{{"EmbedOptions", "the settings of Embed"}, {"Embedding", "a vector for one text"}},
	Verbs: []Verb{
		{Name: "Embed", In: inTexts + ", o EmbedOptions", Out: "[]Embedding, error", Doc: "turns texts into vectors; results come in input order.",
			Start: &Start{Doc: "prints a vector for each text of its arguments", Args: "TEXT …", Least: 3}},
		{Name: "EmbedPairs", In: inPairs + ", o EmbedOptions", Out: "[]Embedding, error", Doc: "turns pairs of texts into vectors."},
	},
}

// bertScorer compares texts by the rows of their tokens.
var bertScorer = Service{
	Name: "BERTScorer", Use: "BERTScore", Field: "comparing", When: WholeTexts,
	Types: []Type{{"BERTScoreOptions", "the settings of BERTScore"}, {"BERTScore", "how alike two texts are: precision, recall and F1"},
		{"Baseline", "the scores of unrelated texts"}, {"TokenWeights", "the weights of tokens"}},
	Verbs: []Verb{{
		Name: "CompareTexts", Method: "BERTScore", In: inPairs + ", o BERTScoreOptions", Out: "[]BERTScore, error",
		Doc: "compares candidates, the first texts of pairs, with references by the rows of their tokens (BERTScore); results come in input order.",
	}},
}

// scoreHead is a head for scores, in hints.
const scoreHead = "take first; linear hidden; act; linear 1 as score; loss mean_squared_error"

// The messages about heads that fit no task.
var (
	noLabels     = Misfit{"labels are of sequences, tokens or words, not of tokens to predict", "take each"}
	noQuantities = Misfit{"labels are not quantities: LOSS does not fit", "loss cross_entropy"}
	noSpan       = Misfit{"a span is chosen among all tokens", "take each; linear 2 as span; loss cross_entropy"}
	noChoice     = Misfit{"choices are compared sequence by sequence", "take first; linear hidden; act; linear 1 as choices; loss cross_entropy"}
	noScoreRows  = Misfit{"a score is one number per sequence, so the head takes one row of each", scoreHead}
	noScore      = Misfit{"a score is one number per sequence, so LOSS does not fit", scoreHead}
	notOne       = Misfit{"each + first judges every token, one number each", "linear 1; loss binary_cross_entropy"}
)
