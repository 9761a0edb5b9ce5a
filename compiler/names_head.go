package compiler

import (
	"fmt"

	"github.com/debertac/debertac/spec"
)

// headNames holds the paths or names of a head's tensors, per kind of step and in the order of the steps. A product has a path, to which .weight and .bias are
// added. A tied product has only a bias, with its whole name.
type headNames struct {
	linears []string
	norms   []string
	tied    string
}

// counts returns the number of steps of each kind in a head.
func counts(h *spec.Head) (linears, norms, tied int) {
	for _, s := range h.Steps {
		switch {
		case s.Kind == spec.StepLinear && s.Tied != "":
			tied++
		case s.Kind == spec.StepLinear:
			linears++
		case s.Kind == spec.StepNorm:
			norms++
		}
	}
	return linears, norms, tied
}

// headNames returns the names of a head's tensors. ok is false if the published layout has no names for such a head.
func (n naming) headNames(h *spec.Head) (names headNames, ok bool) {
	linears, norms, tied := counts(h)
	if n.scheme == own.scheme {
		for i := range linears {
			names.linears = append(names.linears, fmt.Sprintf("head.%s.linear%d", h.Name, i+1))
		}
		for i := range norms {
			names.norms = append(names.norms, fmt.Sprintf("head.%s.norm%d", h.Name, i+1))
		}
		names.tied = fmt.Sprintf("head.%s.tied.bias", h.Name)
		return names, true
	}
	switch {
	case n.scheme == gliner.scheme:
		return n.glinerNames(h)
	case n.scheme == gliner2.scheme:
		return n.gliner2Names(h)
	case n.scheme == gliclass.scheme:
		return n.gliclassNames(h)
	case h.Prompt != nil:
		return names, false
	case tied == 1 && linears == 1 && norms == 1:
		return n.maskedNames(h), true
	case h.Take.Rows == spec.Masked && linears == 2 && norms == 1:
		return n.decoderNames(h), h.From == ""
	case tied > 0 || h.From != "":
		return names, false
	case h.Take.Rows == spec.EachFirst:
		names.norms, names.linears = []string{"mask_predictions.LayerNorm"}, []string{"mask_predictions.dense", "mask_predictions.classifier"}
		return names, linears == 2 && norms == 1 && n.isDeberta()
	case norms > 0:
		return names, false
	case linears == 0:
		return names, true
	case h.As == spec.SpanEnds:
		names.linears = []string{"qa_outputs"}
	case h.Take.Rows != spec.First:
		names.linears = []string{"classifier"}
	case n.scheme == roberta.scheme && h.As != spec.Choices && linears == 2:
		names.linears = []string{"classifier.dense", "classifier.out_proj"}
	case n.isDeberta():
		names.linears = []string{"pooler.dense", "classifier"}
	default: // the pooler is part of the encoder's checkpoint
		names.linears = []string{n.scheme[len("hf."):] + ".pooler.dense", "classifier"}
	}
	if len(names.linears) == 2 && linears == 1 { // a pooled row, or only a classifier
		return names, h.As == spec.Vector
	}
	return names, linears == len(names.linears)
}

// isDeberta reports whether the scheme is one of DeBERTa's.
func (n naming) isDeberta() bool { return n.scheme == debertaV1.scheme || n.scheme == debertaV2.scheme }

// maskedNames returns the names of a head that predicts masked tokens.
func (n naming) maskedNames(h *spec.Head) headNames {
	one := func(dense, norm, bias string) headNames { return headNames{[]string{dense}, []string{norm}, bias} }
	switch {
	case h.From != "":
		return one(h.From+".dense", h.From+".LayerNorm", h.From+".bias")
	case n.scheme == roberta.scheme:
		return one("lm_head.dense", "lm_head.layer_norm", "lm_head.bias")
	}
	return one("cls.predictions.transform.dense", "cls.predictions.transform.LayerNorm", "cls.predictions.bias")
}

// decoderNames returns the names of a head that predicts masked tokens with a weight of its own instead of the token table.
func (n naming) decoderNames(h *spec.Head) headNames {
	names := n.maskedNames(h)
	decoder := "cls.predictions.decoder"
	if n.scheme == roberta.scheme {
		decoder = "lm_head.decoder"
	}
	names.linears, names.tied = append(names.linears, decoder), ""
	return names
}
