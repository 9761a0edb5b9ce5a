package compiler

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/debertac/debertac/ir"
)

// depths finds how far below the head the tensors of a model are.
type depths struct {
	layers int             // of the encoder
	below  map[string]bool // the tensors that are read before the first layer
	conv   int             // the layer that the convolution is beside
}

var (
	layerTensor = regexp.MustCompile(`(?:^|\.)encoder\.(?:layer\.)?([0-9]+)\.`) // in all namings
	convTensor  = regexp.MustCompile(`(?:^|\.)conv\.`)
)

// layerOf returns the encoder's layer that a tensor is of, by its name; -1 if it is of no layer.
func layerOf(tensor string) int {
	m := layerTensor.FindStringSubmatch(tensor)
	if m == nil {
		return -1
	}
	l, err := strconv.Atoi(m[1])
	if err != nil {
		return -1
	}
	return l
}

// modelOf returns the model of a pair that a tensor is of, by the first part of its name; "": the program has one model.
func modelOf(tensor string) string {
	for _, prefix := range []string{generatorPrefix, detectorPrefix} {
		if strings.HasPrefix(tensor, prefix) {
			return prefix
		}
	}
	return ""
}

// depthsOf looks at the tensors that the calls of a program read. It returns what it finds by model, see modelOf.
func depthsOf(p *ir.Program) map[string]*depths {
	all := map[string]*depths{}
	for r, l := range ir.Steps(p.Run) {
		names := map[string][]string{}
		for _, v := range r.In {
			if v.Kind == ir.Tensor {
				name := ir.At(v.Name, l)
				names[modelOf(name)] = append(names[modelOf(name)], name)
			}
		}
		for model, list := range names {
			if all[model] == nil {
				all[model] = &depths{below: map[string]bool{}}
			}
			all[model].see(list)
		}
	}
	return all
}

// see takes account of the tensors of a model that a call reads.
func (d *depths) see(names []string) {
	layer, conv := -1, false
	for _, name := range names {
		layer, conv = max(layer, layerOf(name)), conv || convTensor.MatchString(name)
	}
	if d.layers == 0 && layer < 0 {
		for _, name := range names {
			d.below[name] = true
		}
	}
	if conv && layer >= 0 {
		d.conv = layer
	}
	d.layers = max(d.layers, layer+1)
}

// of returns the power of the factor per layer for the learning rate of a tensor, see [Optimizer.Layers].
func (d *depths) of(tensor string) int {
	switch l := layerOf(tensor); {
	case l >= 0:
		return d.layers - l
	case convTensor.MatchString(tensor):
		return d.layers - d.conv
	case d.below[tensor]:
		return d.layers + 1
	}
	return 0
}
