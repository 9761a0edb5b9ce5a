package hf

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// The parts of a pair. They are the names of its models and the prefixes of the names of its tensors.
const (
	Generator     = "generator"
	Discriminator = "discriminator"
)

// sharings are the ways in which the two models of a pair share the tables of tokens and positions: no sharing, one table for both, or one table to which the
// discriminator adds its own (He, Gao, Chen 2021, section 3).
var sharings = []string{"none", "es", "gdes"}

// isPair recognises the config of replaced-token detection: a generator that fills masks, and a discriminator that judges the result.
func (c *config) isPair() bool { return c.fields[Generator] != nil && c.fields[Discriminator] != nil }

// pair reads both models, or only the one that serves the task.
func (c *config) pair(tensors map[string][]int, opts Options) ([]*want, error) {
	kind, err := c.text("model_type", "")
	if err != nil {
		return nil, err
	}
	sharing, err := c.text("embedding_sharing", "none")
	if err != nil {
		return nil, err
	}
	if !slices.Contains(sharings, sharing) {
		return nil, c.fault("embedding_sharing", "= %q is not one of %s", sharing, strings.Join(sharings, ", "))
	}
	var wants []*want
	for _, part := range []struct {
		name  string
		task  string
		tasks []string
	}{{Generator, "emd", append([]string{"", "emd"}, vocabularyTasks...)}, {Discriminator, "rtd", []string{"", "rtd"}}} {
		v := c.raw(part.name)
		if !slices.Contains(part.tasks, opts.Task) {
			continue
		}
		sub, err := readConfig(v)
		if err != nil {
			return nil, c.fault(part.name, "= %s: %v", shown(v), err)
		}
		sub.prefix = part.name + "."
		inner, err := sub.text("model_type", "")
		if err != nil {
			return nil, err
		}
		if inner != "deberta" && inner != "deberta-v2" {
			return nil, sub.fault("model_type", "= %q: deberta and deberta-v2 are known in a pair", inner)
		}
		o := opts
		own := partOf(tensors, part.name)
		if o.Task == "" {
			o.Task = part.task
		}
		if part.name == Generator && opts.Task == "" && own != nil { // its tensors tell whether it has the mask decoder
			o.Task = "fill-mask"
		}
		if opts.Equal != nil {
			o.Equal = func(a, b string) (bool, error) { return opts.Equal(part.name+"."+a, part.name+"."+b) }
		}
		w, err := sub.encoder(inner, own, o, true)
		if err != nil {
			return nil, err
		}
		w.name, w.origin = part.name, fmt.Sprintf("The %s of a config.json with model_type %s, tables shared: %s.", part.name, kind, sharing)
		c.notes, c.warned = append(c.notes, sub.notes...), append(c.warned, sub.warned...)
		wants = append(wants, w)
	}
	if len(wants) == 0 {
		return nil, fmt.Errorf("the head %s is asked for, but the folder is a generator and a discriminator: it serves %s, emd, rtd", opts.Task,
			strings.Join(vocabularyTasks, ", "))
	}
	if len(wants) == 2 && opts.HeadName != "" {
		return nil, errors.New("the name of a head is given, but two models have one: say which with the head rtd or fill-mask")
	}
	return wants, c.rest()
}

// partOf returns the tensors of one model of a pair, under the names that they have in a checkpoint of that model alone. A table that the discriminator
// adds to the generator's has the name of the sum.
func partOf(tensors map[string][]int, name string) map[string][]int {
	if tensors == nil {
		return nil
	}
	own := map[string][]int{}
	for n, shape := range tensors {
		switch rest, ok := strings.CutPrefix(n, name+"."); {
		case ok:
			if stem, delta := strings.CutSuffix(rest, "._weight"); delta {
				rest = stem + ".weight"
			}
			own[rest] = shape
		case name == Discriminator:
			table, ok := strings.CutPrefix(n, Generator+".")
			if ok && own[table] == nil && (strings.HasSuffix(table, "embeddings.word_embeddings.weight") || strings.HasSuffix(table, positionTable)) {
				own[table] = shape
			}
		}
	}
	return own
}
