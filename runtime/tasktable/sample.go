package tasktable

import "strings"

// samples maps the parameters of verbs to arguments, as Go writes them. An argument for options is made from the name of their type instead.
var samples = map[string]string{
	"ctx context.Context":    "context.Background()",
	"texts []string":         `[]string{"Anna Smith works for Acme in Rome."}`,
	"pairs [][2]string":      `[][2]string{{"Anna Smith works for Acme.", "Somebody has a job."}}`,
	"labels []string":        `[]string{"person", "place"}`,
	"query string":           `"Where does Anna work?"`,
	"documents []string":     `[]string{"Anna Smith works for Acme in Rome.", "Rain is expected in Rome."}`,
	"prompts []runtime.Text": `[]runtime.Text{{First: "Anna Smith works for"}}`,
	"questions []Question":   `[]Question{{Question: "Where does Anna work?", Context: "Anna Smith works for Acme in Rome."}}`,
	"questions []ChoiceQuestion": `[]ChoiceQuestion{{Context: "Anna Smith works for Acme in Rome.", ` +
		`Question: "Where does Anna work?", Options: []string{"In Rome.", "In Oslo."}}}`,
	"inputs []MatchInput": `[]MatchInput{{Text: "Anna Smith works for Acme in Rome.", Labels: []string{"work", "sport"}}}`,
	"schema *Schema":      `&Schema{Entities: []extraction.Entity{{Label: "person"}, {Label: "place"}}}`,
	"threshold float64":   "0.5",
}

// Sample returns arguments for a call of the verb, as Go writes them inside the generated package. It returns nil if a parameter has no sample; such a verb has
// no example.
func (v *Verb) Sample() []string {
	var args []string
	for p := range strings.SplitSeq(v.In, ", ") {
		text, ok := samples[p]
		if name, typ, _ := strings.Cut(p, " "); !ok && name == "o" {
			text, ok = typ+"{"+v.Given+"}", true
		}
		if !ok {
			return nil
		}
		args = append(args, text)
	}
	return args
}
