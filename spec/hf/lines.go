package hf

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/debertac/debertac/spec"
)

// lines returns the statements in which the wanted model differs from a model of the zoo.
func (w *want) lines(base *spec.Model) []string {
	var out []string
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if w.checkpoint != base.Checkpoint {
		add("checkpoint %s", w.checkpoint)
	}
	if w.tokenizer != "" && w.tokenizer != base.Tokenizer {
		add("tokenizer %s", w.tokenizer)
	}
	dim := func(name string, want, have int) {
		if want != have {
			add("dim %s = %d", name, want)
		}
	}
	dim("vocab", w.vocab, base.Vocab)
	dim("hidden", w.hidden, base.Hidden)
	dim("heads", w.heads, base.Heads)
	dim("inner", w.inner, 4*w.hidden) // inner is 4 * hidden in every model of the zoo
	dim("layers", w.layers, base.Layers)
	reach, _ := base.Dim("reach")
	if base.Relative != nil && w.relative {
		dim("span", w.span, -base.Relative.Lo)
		if w.log {
			dim("reach", w.reach, reach.Value)
		}
	}
	if w.seq > 0 && w.seq != base.Seq {
		add("dim seq <= %d", w.seq)
	}
	out = append(out, w.defaultLines(base)...)
	out = append(out, w.inputLines(base)...)
	out = append(out, w.decoderLines(base)...)
	out = append(out, w.offsetLines(base)...)
	if w.mask != "" {
		add("encoder.attention.mask %s", w.mask)
	}
	return append(out, w.convLines(base)...)
}

func (w *want) defaultLines(base *spec.Model) []string {
	d := base.Defaults
	var parts []string
	if w.eps != d.Norm.Eps {
		parts = append(parts, "norm layernorm(eps: "+number(w.eps)+")")
	}
	if w.act != d.Act {
		parts = append(parts, "act "+w.act)
	}
	if w.dropout != d.Dropout.Hidden || w.attention != d.Dropout.Attention {
		s := "dropout " + number(w.dropout)
		if w.attention != w.dropout {
			s += " attention " + number(w.attention)
		}
		parts = append(parts, s)
	}
	if w.std != d.Init.Std {
		parts = append(parts, "init normal(std: "+number(w.std)+")")
	}
	if len(parts) == 0 {
		return nil
	}
	return []string{"defaults { " + strings.Join(parts, "; ") + " }"}
}

func (w *want) inputLines(base *spec.Model) []string {
	e := base.Embed
	var parts, out []string
	if w.pad != e.Pad {
		parts = append(parts, "token vocab pad "+strconv.Itoa(w.pad))
	}
	if w.width != w.hidden { // in the zoo the width is hidden
		parts = append(parts, "width "+strconv.Itoa(w.width))
	}
	switch {
	case w.absolute == 0 && e.Absolute != nil:
		parts = append(parts, "drop absolute")
	case w.absolute > 0 && (e.Absolute == nil || e.Absolute.Rows != w.absolute || e.Absolute.From != w.from):
		s := "absolute " + strconv.Itoa(w.absolute)
		if w.from > 0 {
			s += " from " + strconv.Itoa(w.from)
		}
		parts = append(parts, s)
	}
	switch {
	case w.segment == 0 && e.Segment != nil:
		parts = append(parts, "drop segment")
	case w.segment > 0 && (e.Segment == nil || e.Segment.Rows != w.segment):
		parts = append(parts, "segment "+strconv.Itoa(w.segment))
	}
	if len(parts) > 0 {
		out = append(out, "embed { "+strings.Join(parts, "; ")+" }")
	}
	return out
}

// decoderLines returns the enhanced mask decoder and its table of positions, or the statement that drops the decoder of v1. The decoder needs a table as wide
// as the encoder, and a layer below the last.
func (w *want) decoderLines(base *spec.Model) []string {
	have := len(base.Decoders) > 0
	if !w.decoder {
		if have && (w.absolute > 0 || w.positions != base.Absolutes[0].Rows || w.width != w.hidden || w.layers < 2 || w.seq > w.positions) {
			return []string{"drop decoder." + base.Decoders[0].Name + ", absolute." + base.Absolutes[0].Name}
		}
		return nil
	}
	var out []string
	if !have || base.Absolutes[0].Rows != w.positions {
		out = append(out, fmt.Sprintf("absolute pos { rows %d }", w.positions))
	}
	if !have {
		out = append(out, "decoder emd {\nrepeat 2 of encoder.last\nquery encoder[-2] + pos\nmemory encoder[-2]\n}")
	}
	return out
}

// offsetLines returns the differences in the table of offsets and in the attention.
func (w *want) offsetLines(base *spec.Model) []string {
	if base.Relative == nil {
		return nil
	}
	name := base.Relative.Name
	var out, table, att []string
	if !w.relative {
		out = append(out, "drop relative."+name)
		att = append(att, "drop kr, qr")
	} else {
		baseLog := base.Relative.Bucket.Kind == spec.Log
		switch {
		case w.log && w.span%2 == 1:
			table = append(table, "bucket log(exact: floor(span / 2), reach: reach)")
		case w.log && !baseLog:
			table = append(table, "bucket log(exact: span / 2, reach: reach)")
		case !w.log && baseLog:
			table = append(table, "bucket clamp")
		}
		if !w.norm && base.Relative.Norm != nil {
			table = append(table, "drop norm")
		}
		if w.norm && base.Relative.Norm == nil {
			table = append(table, "norm")
		}
		if baseShared := base.Encoder.Attention.Proj("kr").Reuse != nil; baseShared && !w.shared && w.checkpoint != "hf.deberta" {
			att = append(att, w.ownProjections())
		}
	}
	if len(table) > 0 {
		out = append(out, "relative "+name+" { "+strings.Join(table, "; ")+" }")
	}
	terms := 1
	score := "score q[i]·k[j]"
	if w.c2p {
		score += " + q[i]·kr[i-j]"
		terms++
	}
	if w.p2c {
		score += " + qr[i-j]·k[j]"
		terms++
	}
	if terms != 3 { // as every DeBERTa of the zoo has
		att = append(att, score)
	}
	if w.factor != terms {
		att = append(att, fmt.Sprintf("scale 1 / sqrt(head * %d)", w.factor))
	}
	if w.talking {
		att = append(att, "mix score", "mix weight")
	}
	switch {
	case len(att) == 1 && strings.HasPrefix(att[0], "sc"): // score and scale can be reached by their path
		out = append(out, "encoder.attention."+att[0])
	case len(att) > 0:
		out = append(out, "encoder.attention {\n"+strings.Join(att, "\n")+"\n}")
	}
	return out
}

// ownProjections returns the assignment of the offsets' projections that the terms use.
func (w *want) ownProjections() string {
	switch {
	case w.c2p && w.p2c:
		return "kr, qr = linear(rel)"
	case w.c2p:
		return "kr = linear(rel)"
	}
	return "qr = linear(rel)"
}

func (w *want) convLines(base *spec.Model) []string {
	have := base.Encoder.Conv
	switch {
	case w.conv == nil && have == nil:
		return nil
	case w.conv == nil:
		return []string{"drop encoder.conv"}
	case have != nil && have.Kernel == w.conv.Kernel && have.Groups == w.conv.Groups && have.Act == w.conv.Act:
		return nil
	}
	s := fmt.Sprintf("encoder.conv { kernel %d; ", w.conv.Kernel)
	if w.conv.Groups != 1 {
		s += fmt.Sprintf("groups %d; ", w.conv.Groups)
	}
	return []string{s + "act " + w.conv.Act + "; beside layer 1 }"}
}
