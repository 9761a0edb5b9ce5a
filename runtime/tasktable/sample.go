package tasktable

import "strings"

// samples are arguments for the parameters of verbs, as Go writes them. Those of options are made of the name of their type.
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
	"threshold float64": "0.5",
}

// Sample returns arguments for a call of the verb, as Go writes them inside the generated package, or nil if a parameter has none: such a verb is shown by no
// example.
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
