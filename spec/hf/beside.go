package hf

import (
	"encoding/json"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Beside holds what the files beside a model's configuration decide.
type Beside struct {
	Sentences *Sentences // modules.json; nil without it
	// LowerCase reports whether sentence-transformers lower-cases texts before its tokenizer.
	LowerCase bool
	MaxSeq    int // limit of sentence-transformers in tokens per text; 0: no limit
	MaxTokens int // the tokenizer's own limit, model_max_length; 0: no limit
	// Prompts are the texts that sentence-transformers puts in front of a text, in the order of the file.
	Prompts []Prompt
	Default string // name of the prompt that is used if the caller names none; "": no prompt
	// Activation is the function that a cross-encoder applies to its logit: "sigmoid", "tanh" or "identity"; "" if no file names one.
	Activation   string
	TruncateLeft bool // texts that are too long are cut at their start

	activation error // why the function that a file names is not understood
	generation error // why the library's generate would return other texts
	kind       error // why a model of sentence-transformers does not return a vector per text
	prompt     error // why prompts are not understood
}

// Prompt is a text that is put in front of other texts.
type Prompt struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

// object reads a file of the folder as a JSON object with the fields of a table. It returns nil if there is no such file.
func (v *View) object(name string, table []group) (*config, error) {
	text, err := v.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	c, err := readConfig(text)
	if err != nil {
		return nil, &FieldError{File: name, Reason: err.Error(), CanIgnore: name != v.config} // no folder can be read without its configuration
	}
	c.file, c.table = name, table
	return c, nil
}

// Check looks up the names of the folder's files in the table of files. A link whose target is missing is an error.
func (v *View) Check() error {
	list, err := v.ReadDir(".")
	if err != nil {
		return err
	}
	for _, e := range list {
		st, err := v.Stat(e.Name())
		if err != nil {
			return err
		}
		if st.IsDir() {
			continue
		}
		if g := fileRow(e.Name()); g.effect == Refused {
			return &FieldError{File: e.Name(), Reason: "is not understood: " + g.why, CanIgnore: true}
		}
	}
	return nil
}

// fileRow returns the row for a file name.
func fileRow(name string) *group {
	for i := range fileTable {
		for _, pattern := range strings.Fields(fileTable[i].names) {
			if ok, err := path.Match(pattern, name); ok && err == nil {
				return &fileTable[i]
			}
		}
	}
	return &fileTable[len(fileTable)-1]
}

// ReadBeside reads what the files beside the configuration decide. It returns a *FieldError for a file or field that is unknown, or that is known but
// cannot be followed. Faults that concern only some heads are returned by Spec.
func ReadBeside(v *View) (*Beside, error) {
	if err := v.Check(); err != nil {
		return nil, err
	}
	b := &Beside{}
	for _, read := range []func(*View) error{b.tokenizer, b.transformer, b.sentences, b.scores, b.generates} {
		if err := read(v); err != nil {
			return nil, err
		}
	}
	var err error
	if text, rerr := v.ReadFile("modules.json"); rerr == nil {
		b.Sentences, err = ReadSentences(text, v.ReadFile)
	} else if !errors.Is(rerr, fs.ErrNotExist) {
		err = rerr
	}
	return b, err
}

// tokenizer reads the fields of tokenizer_config.json that package runtime/token does not read.
func (b *Beside) tokenizer(v *View) error {
	if c, err := v.object("special_tokens_map.json", specialTable); err != nil {
		return err
	} else if c != nil {
		c.applied()
		if err := c.rest(); err != nil {
			return err
		}
	}
	c, err := v.object("tokenizer_config.json", tokenizerTable)
	if c == nil || err != nil {
		return err
	}
	for _, field := range []string{"max_len", "model_max_length"} {
		n, err := c.limit(field, 1e6)
		if err != nil {
			return err
		}
		if n > 0 {
			b.MaxTokens = n
		}
	}
	side, err := c.text("truncation_side", "right")
	if err != nil {
		return err
	}
	if side != "right" && side != "left" {
		return c.refuse("truncation_side", "= %q is neither right nor left", side)
	}
	b.TruncateLeft = side == "left"
	c.applied()
	return c.rest()
}

// applied marks all fields that the table has as applied as understood, because another part of debertac reads them.
func (c *config) applied() {
	for _, g := range c.table {
		if g.effect == Applied {
			c.allow(strings.Fields(g.names)...)
		}
	}
}

// limit reads a number of tokens. It returns 0 if the number is absent, null, or so large that it means no limit.
func (c *config) limit(name string, below float64) (int, error) {
	x, err := c.real(name, 0, "a positive number", func(x float64) bool { return x >= 1 })
	switch {
	case err != nil:
		return 0, err
	case x >= below:
		return 0, nil
	case x != float64(int(x)):
		return 0, c.fault(name, "= %s is not a positive whole number", shown(c.fields[name]))
	}
	return int(x), nil
}

// transformer reads how sentence-transformers reads texts. The file has several possible names; the first one that exists counts.
func (b *Beside) transformer(v *View) error {
	for _, name := range strings.Fields(find(fileTable, "sentence_bert_config.json").names) {
		c, err := v.object(name, transformerTable)
		if err != nil {
			return err
		}
		if c == nil {
			continue
		}
		if b.MaxSeq, err = c.limit("max_seq_length", 1e9); err != nil {
			return err
		}
		if b.LowerCase, err = c.boolean("do_lower_case", false); err != nil {
			return err
		}
		if m := c.raw("modality_config"); m != nil {
			inner, err := readConfig(m)
			if err != nil || slices.ContainsFunc(inner.order, func(name string) bool { return name != "text" }) {
				return c.refuse("modality_config", "= %s: only text is understood", shown(m))
			}
		}
		return c.rest()
	}
	return nil
}

// sentences reads the settings for texts and scores in config_sentence_transformers.json.
func (b *Beside) sentences(v *View) error {
	c, err := v.object("config_sentence_transformers.json", sentenceTable)
	if c == nil || err != nil {
		return err
	}
	if p := c.raw("prompts"); p != nil {
		inner, err := readConfig(p)
		if err != nil {
			return c.refuse("prompts", "= %s is not an object from names to texts", shown(p))
		}
		for _, name := range inner.order {
			text, err := inner.text(name, "")
			if err != nil {
				return c.refuse("prompts", "has %s for %q, which is not a text", shown(inner.fields[name]), name)
			}
			b.Prompts = append(b.Prompts, Prompt{name, text})
		}
	}
	if b.Default, err = c.text("default_prompt_name", ""); err != nil {
		return err
	}
	if b.Default != "" && !slices.ContainsFunc(b.Prompts, func(p Prompt) bool { return p.Name == b.Default }) {
		return c.refuse("default_prompt_name", "= %q is not one of the prompts", b.Default)
	}
	if i := slices.IndexFunc(b.Prompts, func(p Prompt) bool { return p.Name == b.Default }); i >= 0 && b.Prompts[i].Text != "" {
		b.prompt = c.refuse("default_prompt_name", "= %q: a prompt in front of texts is understood for the head embed alone", b.Default)
	}
	kind, err := c.text("model_type", "")
	if err != nil {
		return err
	}
	if kind != "" && kind != "SentenceTransformer" && kind != "CrossEncoder" {
		b.kind = c.refuse("model_type", "= %q: models of sentence-transformers with one vector for each text are understood", kind)
	}
	if err := b.function("activation_fn", c); err != nil {
		return err
	}
	return c.rest()
}

// functions maps the last part of a function's name to the functions after a logit that are understood.
var functions = map[string]string{"Identity": "identity", "Sigmoid": "sigmoid", "Tanh": "tanh"}

// function reads the name of a function from a field. The first function that a file names counts.
func (b *Beside) function(name string, c *config) error {
	full, err := c.text(name, "")
	if err != nil || full == "" || b.Activation != "" || b.activation != nil {
		return err
	}
	if b.Activation = functions[full[strings.LastIndex(full, ".")+1:]]; b.Activation == "" {
		b.activation = c.refuse(name, "= %q: of the functions after a score Identity, Sigmoid and Tanh are understood", full)
	}
	return nil
}

// scores reads the function after a score from config.json: first as versions from 4 on write it, then as older versions do.
func (b *Beside) scores(v *View) error {
	c, err := v.object("config.json", configTable)
	if c == nil || err != nil || v.config != "config.json" {
		return err
	}
	if s := c.raw("sentence_transformers"); s != nil {
		inner, err := readConfig(s)
		if err != nil {
			return c.refuse("sentence_transformers", "= %s is not an object", shown(s))
		}
		inner.file, inner.prefix = c.file, "sentence_transformers."
		if err := b.function("activation_fn", inner); err != nil {
			return err
		}
		inner.table = []group{{Harmless, "version", "names the writer of the file", nil}}
		if err := inner.rest(); err != nil {
			return err
		}
	}
	for _, name := range []string{"activation_fn", "sbert_ce_default_activation_function"} {
		if err := b.function(name, c); err != nil {
			return err
		}
	}
	return nil
}

// generates reads the settings with which the library would generate text.
func (b *Beside) generates(v *View) error {
	c, err := v.object("generation_config.json", generationTable)
	if err != nil {
		return err
	}
	if c != nil {
		b.generation = c.rest()
		return nil
	}
	// Without the file the library uses the settings in config.json.
	text, err := v.ReadFile(v.config)
	if err != nil {
		return nil // Spec reports this error
	}
	if c, err = readConfig(text); err != nil {
		return nil
	}
	c.order = slices.DeleteFunc(c.order, func(name string) bool { return find(generationTable, name) == nil })
	c.table = generationTable
	b.generation = c.rest()
	return nil
}

// serve returns an error if the folder's files do not allow a head of this task with this number of labels.
func (b *Beside) serve(task string, labels int) error {
	if b == nil {
		return nil
	}
	scores := task == "score" || task == "rank" || task == "classify" && labels == 1
	switch {
	case task == "generate":
		return b.generation
	case task == "embed":
		return b.kind
	case scores && b.activation != nil:
		return b.activation
	case scores:
		return b.prompt
	}
	return nil
}

// MarshalPrompts returns the prompts as JSON, as packed weights hold them, or "" if there are no prompts.
func (b *Beside) MarshalPrompts() (string, error) {
	if len(b.Prompts) == 0 {
		return "", nil
	}
	text, err := json.Marshal(b.Prompts)
	return string(text), err
}
