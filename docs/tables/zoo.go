package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/debertac/debertac/spec"
)

// figure is a count of parameters as its publisher states it.
type figure struct{ model, count, source string }

// The sources of the figures.
const (
	repository    = "[DeBERTa repository](https://github.com/microsoft/DeBERTa), README"
	card          = "[model card](https://huggingface.co/microsoft/%s)"
	bertReadme    = "[BERT repository](https://github.com/google-research/bert), README"
	gliner2Readme = "[GLiNER2 repository](https://github.com/fastino-ai/GLiNER2), README"
	gliclassCard  = "[model card](https://huggingface.co/knowledgator/%s)"
	fairseq       = "[fairseq](https://github.com/facebookresearch/fairseq/blob/main/examples/roberta/README.md), README of RoBERTa"
)

// figures are the published counts, in the order of the page.
var figures = []figure{
	{"deberta_base", "100 M backbone", repository},
	{"deberta_large", "350 M backbone", repository},
	{"deberta_xlarge", "700 M backbone", repository},
	{"deberta_v2_xlarge", "710 M backbone, 900 M", repository},
	{"deberta_v2_xxlarge", "1320 M backbone, 1.5 B", repository},
	{"deberta_v3_xsmall", "22 M backbone, 48 M embedding", fmt.Sprintf(card, "deberta-v3-xsmall")},
	{"deberta_v3_small", "44 M backbone, 98 M embedding", fmt.Sprintf(card, "deberta-v3-small")},
	{"deberta_v3_base", "86 M backbone, 98 M embedding", fmt.Sprintf(card, "deberta-v3-base")},
	{"deberta_v3_large", "304 M backbone, 131 M embedding", fmt.Sprintf(card, "deberta-v3-large")},
	{"mdeberta_v3_base", "86 M backbone, 190 M embedding", fmt.Sprintf(card, "mdeberta-v3-base")},
	{"gliner2_base", "205 M with its head", gliner2Readme},
	{"gliner2_large", "", gliner2Readme},
	{"gliner2_multi", "", gliner2Readme},
	{"gliner25_small", "74 M with its head", gliner2Readme},
	{"gliner25_base", "194 M with its head", gliner2Readme},
	{"gliner25_multi", "287 M with its head", gliner2Readme},
	{"gliclass_small", "144 M with its head", fmt.Sprintf(gliclassCard, "gliclass-small-v1.0")},
	{"gliclass_base", "187 M with its head", fmt.Sprintf(gliclassCard, "gliclass-base-v3.0")},
	{"gliclass_large", "439 M with its head", fmt.Sprintf(gliclassCard, "gliclass-large-v3.0")},
	{"bert_base", "110 M", bertReadme},
	{"bert_large", "340 M", bertReadme},
	{"roberta_base", "125 M", fairseq},
	{"roberta_large", "355 M", fairseq},
}

// counts writes the table of published models: the count that follows from a spec of the zoo, next to the figure of its publisher.
func counts(context.Context) (string, error) {
	var b strings.Builder
	row(&b, "model", "layers", "hidden", "vocabulary", "parameters", "token table", "the rest", "published", "where")
	row(&b, "---", "---:", "---:", "---:", "---:", "---:", "---:", "---", "---")
	for _, f := range figures {
		m := spec.ZooModel(f.model)
		if m == nil {
			return "", fmt.Errorf("the zoo has no model %s", f.model)
		}
		all, table := spec.Params(m), int64(m.Vocab)*int64(m.Embed.Width)
		row(&b, code(f.model), strconv.Itoa(m.Layers), strconv.Itoa(m.Hidden), grouped(int64(m.Vocab)), grouped(all), grouped(table),
			grouped(all-table), f.count, f.source)
	}
	return b.String(), nil
}

// ablations writes the table of the zoo's other models: how many parameters each has more or less than the model that it is like.
func ablations(context.Context) (string, error) {
	known := map[string]bool{}
	for _, f := range figures {
		known[f.model] = true
	}
	var b strings.Builder
	row(&b, "model", "like", "parameters", "difference")
	row(&b, "---", "---", "---:", "---:")
	for _, name := range spec.Zoo() {
		if known[name] {
			continue
		}
		m := spec.ZooModel(name)
		if m == nil || len(m.Like) < 2 { // the model itself, then the models that it is like
			return "", fmt.Errorf("the model %s of the zoo is neither published nor like one that is", name)
		}
		base := spec.ZooModel(m.Like[1])
		if base == nil {
			return "", fmt.Errorf("the zoo has no model %s", m.Like[1])
		}
		difference := grouped(spec.Params(m) - spec.Params(base))
		if !strings.HasPrefix(difference, "-") && difference != "0" {
			difference = "+" + difference
		}
		row(&b, code(name), code(m.Like[1]), grouped(spec.Params(m)), difference)
	}
	return b.String(), nil
}

// grouped writes a number in groups of three digits.
func grouped(n int64) string {
	s := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, s = "-", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + " " + s[i:]
	}
	return sign + s
}
