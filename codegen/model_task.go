package codegen

import (
	"regexp"
	"slices"
	"strings"

	"github.com/dave/jennifer/jen"

	"github.com/debertac/debertac/ir"
)

// taskPath is the package of what heads mean on text. Only packages whose heads need it link it.
const taskPath = runtimePath + "/task"

// tk returns a name of that package.
func tk(name string) *jen.Statement { return jen.Qual(taskPath, name) }

// service is a type of package task that a generated model hands its texts to.
type service struct {
	field string      // of the model: a function that makes it once
	name  string      // of the type; New… makes it from the model and the name of a head
	maker string      // the function that makes it; "" is New…
	more  []jen.Code  // further arguments of New…
	types [][2]string // types that its verbs take and give, with comments
	verbs []verb
}

// verb is a method of a service that the model has too.
type verb struct {
	name   string // of the model's method
	method string // of the service's; "" is the same
	doc    string
	params []param // after the context
	result string  // of which a slice is given, one for each text
}

// param is a parameter of a verb.
type param struct {
	name string
	typ  func() *jen.Statement
}

// The types of parameters.
func textList() *jen.Statement   { return jen.Index().String() }
func pairList() *jen.Statement   { return jen.Index().Index(jen.Lit(2)).String() }
func oneText() *jen.Statement    { return jen.String() }
func oneNumber() *jen.Statement  { return jen.Float64() }
func promptList() *jen.Statement { return jen.Index().Add(rt("Text")) }

// named returns a type that the package has a short name for.
func named(name string) func() *jen.Statement {
	return func() *jen.Statement { return jen.Id(name) }
}

func listOf(name string) func() *jen.Statement {
	return func() *jen.Statement { return jen.Index().Id(name) }
}

// declare writes the methods of the model that hand on to the service.
func (s *service) declare(method func(name, doc string) *jen.Statement) {
	for _, v := range s.verbs {
		params := []jen.Code{jen.Id("ctx").Qual("context", "Context")}
		args := []jen.Code{jen.Id("ctx")}
		for _, p := range v.params {
			params, args = append(params, jen.Id(p.name).Add(p.typ())), append(args, jen.Id(p.name))
		}
		inner := v.method
		if inner == "" {
			inner = v.name
		}
		method(v.name, v.doc).Params(params...).Params(jen.Index().Id(v.result), jen.Error()).Block(
			jen.List(jen.Id("s"), jen.Err()).Op(":=").Id("m").Dot(s.field).Call(),
			jen.If(jen.Err().Op("!=").Nil()).Block(jen.Return(jen.Nil(), jen.Err())),
			jen.Return(jen.Id("s").Dot(inner).Call(args...)),
		)
	}
}

// numbered are names of labels that do not tell what they mean, as transformers writes them where none are given.
var numbered = regexp.MustCompile(`^LABEL_[0-9]+$`)

// services are those of the head's task. A model without a tokenizer takes no texts, and has none.
func (e *emitter) services() []service {
	if !e.takesText() {
		return nil
	}
	m := &e.p.Meta
	texts, pairs := param{"texts", textList}, param{"pairs", pairList}
	switch m.Task {
	case ir.TaskLabels:
		s := service{
			field: "entailing", name: "ZeroShot", more: []jen.Code{tk("NLIOptions").Values()},
			types: [][2]string{{"ZeroShotOptions", "the settings of Entail"}, {"ZeroShotResult", "a text with labels of the caller's own"}},
			verbs: []verb{{name: "Entail", method: "Classify", result: "ZeroShotResult", params: []param{texts, {"labels", textList}, {"o", named("ZeroShotOptions")}},
				doc: "labels texts with any labels (zero-shot classification): each text is a premise, each label in a sentence a hypothesis, and the model judges whether the one entails the other."}},
		}
		switch {
		case slices.ContainsFunc(m.Labels, func(l string) bool { return strings.HasPrefix(strings.ToLower(l), "entail") }):
		case len(m.Labels) > 1 && !slices.ContainsFunc(m.Labels, func(l string) bool { return !numbered.MatchString(l) }):
			s.maker, s.more = "NewZeroShotByCall", nil
			s.verbs[0].doc += " The labels have numbers for names, so o.Entailment must name the one that means entailment."
		default:
			return nil
		}
		return []service{s}
	case ir.TaskScore:
		return []service{
			{field: "scoring", name: "Scorer", types: [][2]string{{"Score", "the result for one text or pair"}}, verbs: []verb{
				{name: "Score", result: "Score", params: []param{texts}, doc: "gives one number a text; results come in input order."},
				{name: "ScorePairs", result: "Score", params: []param{pairs}, doc: "gives one number a pair of texts, such as a prompt and an answer."},
			}},
			{field: "ranking", name: "Ranker", types: [][2]string{{"RankOptions", "the settings of Rank"}, {"Ranked", "a document with its score"}}, verbs: []verb{
				{name: "Rank", result: "Ranked", params: []param{{"query", oneText}, {"documents", textList}, {"o", named("RankOptions")}}, doc: "orders documents by how well they fit a query, the best first."},
			}},
		}
	case ir.TaskVector, ir.TaskHidden:
		if !e.perSequence() && e.rowKind() != ir.T {
			return nil // rows that texts alone do not choose
		}
		return []service{{field: "embedding", name: "Embedder",
			types: [][2]string{{"EmbedOptions", "the settings of Embed"}, {"Embedding", "a vector for one text"}},
			verbs: []verb{
				{name: "Embed", result: "Embedding", params: []param{texts, {"o", named("EmbedOptions")}}, doc: "turns texts into vectors; results come in input order."},
				{name: "EmbedPairs", result: "Embedding", params: []param{pairs, {"o", named("EmbedOptions")}}, doc: "turns pairs of texts into vectors."},
			}}}
	case ir.TaskChoices:
		return []service{{field: "choosing", name: "Chooser",
			types: [][2]string{{"ChoiceQuestion", "a question with options"}, {"Choice", "the result for one question"}},
			verbs: []verb{{name: "Choose", result: "Choice", params: []param{{"questions", listOf("ChoiceQuestion")}}, doc: "chooses among the options of each question."}}}}
	case ir.TaskTags:
		return []service{{field: "tagging", name: "Tagger",
			types: [][2]string{{"TagOptions", "the settings of Tag"}, {"Tagged", "the result for one text: entities, and a label for each token"}},
			verbs: []verb{{name: "Tag", result: "Tagged", params: []param{texts, {"o", named("TagOptions")}}, doc: "finds entities in texts by the labels of their tokens; results come in input order."}}}}
	case ir.TaskSpan:
		return []service{{field: "answering", name: "Answerer",
			types: [][2]string{{"Question", "a question about a context"}, {"AnswerOptions", "the settings of Answer"}, {"Answered", "the result for one question"}},
			verbs: []verb{{name: "Answer", result: "Answered", params: []param{{"questions", listOf("Question")}, {"o", named("AnswerOptions")}}, doc: "answers each question with parts of its context, the best first."}}}}
	case ir.TaskReplaced:
		return []service{{field: "detecting", name: "Detector",
			types: [][2]string{{"Detection", "the result for one text"}},
			verbs: []verb{{name: "Detect", result: "Detection", params: []param{texts, {"threshold", oneNumber}}, doc: "tells which tokens of texts seem to be replaced: those with a probability above the threshold."}}}}
	case ir.TaskEntities:
		return []service{{field: "extracting", name: "Extractor",
			types: [][2]string{{"EntityOptions", "the settings of Entities"}, {"Extraction", "the result for one text"}},
			verbs: []verb{{name: "Entities", result: "Extraction", params: []param{texts, {"labels", textList}, {"o", named("EntityOptions")}}, doc: "finds entities of the given labels in texts; results come in input order."}}}}
	case ir.TaskMLM:
		return e.predictors(texts, pairs)
	}
	return nil
}

// predictors returns the services of a head that predicts tokens.
func (e *emitter) predictors(texts, pairs param) []service {
	list := []service{{field: "measuring", name: "Perplexer", types: [][2]string{{"Perplexity", "how well the model predicts one text"}}, verbs: []verb{
		{name: "Perplexity", method: "Measure", result: "Perplexity", params: []param{texts}, doc: "says how well the model predicts texts; results come in input order."},
		{name: "PerplexityPairs", method: "MeasurePairs", result: "Perplexity", params: []param{pairs}, doc: "says how well the model predicts the second text of each pair where the first is given."},
	}}}
	if e.masked() {
		return append(list, service{field: "generating", name: "Generator",
			types: [][2]string{{"GenerateOptions", "the settings of Generate"}, {"Generated", "one generated text"}},
			verbs: []verb{{name: "Generate", result: "Generated", params: []param{{"prompts", promptList}, {"o", named("GenerateOptions")}}, doc: "continues texts, or turns them into others if the model's mask has a prefix."}}})
	}
	return append(list, service{field: "filling", name: "Filler",
		types: [][2]string{{"FillOptions", "the settings of Fill"}, {"Filled", "the result for one text"}},
		verbs: []verb{{name: "Fill", result: "Filled", params: []param{texts, {"o", named("FillOptions")}}, doc: "finds tokens for the masks that are written in texts, such as [MASK]; results come in input order."}}})
}

// rowKind is what the result has a row for.
func (e *emitter) rowKind() ir.Dim {
	_, v := e.p.Result()
	return v.Type.Shape[0]
}
