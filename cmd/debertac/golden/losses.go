package golden

import (
	"fmt"
	"slices"
)

// deadRows is the reason why a loss is left out.
const deadRows = "it depends on rows that attention_mask leaves out"

// loss computes a loss in float64 from the model's outputs and the case's labels. The recorded shape is [1], or one number per predicted token.
func (k *comparison) loss(name string, shape []int) (value, error) {
	compute := k.libraryLoss
	switch k.Kind {
	case KindEMD:
		compute = k.decoderLoss
	case KindRTD:
		compute = k.pairLoss
	case KindSiFT:
		compute = k.perturbedLoss
	}
	numbers, v, err := compute(name)
	if err != nil || v.reason != "" || v.left != "" {
		return v, err
	}
	if !slices.Equal(shape, []int{len(numbers)}) {
		return value{reason: fmt.Sprintf("it is %d numbers, %v was recorded", len(numbers), shape)}, nil
	}
	return value{read: func(index []int) (float64, bool) { return numbers[index[0]], false }}, nil
}

// single returns a loss of one number.
func single(x float64) ([]float64, value, error) { return []float64{x}, value{}, nil }

// without returns a loss that cannot be computed, with the reason.
func without(reason string) ([]float64, value, error) { return nil, value{reason: reason}, nil }

// leftOut returns a loss that is left out because it depends on rows which are not computed.
func leftOut() ([]float64, value, error) { return nil, value{left: deadRows}, nil }

// libraryLoss computes the loss of one forward pass, which depends on the kind of head.
func (k *comparison) libraryLoss(name string) ([]float64, value, error) {
	if name != "loss" {
		return nil, notProduced, nil
	}
	if !k.produced.Head {
		return k.weighted()
	}
	logits, err := k.grid("", outputTensor)
	if err != nil || logits == nil {
		return nil, notProduced, err
	}
	if start, end := k.extra["start_positions"], k.extra["end_positions"]; start != nil && end != nil {
		return k.spans(logits, start, end)
	}
	labels := k.extra["labels"]
	switch {
	case labels == nil:
		return without("the inputs have no labels")
	case logits.rows == k.layout.tokens && labels.integer && len(labels.data) == len(k.IDs):
		return k.tokens(logits, labels)
	case logits.rows != len(k.layout.starts)-1:
		return without("the labels do not go with the head's rows")
	case logits.rows != k.Sequences:
		return leftOut()
	case k.Choices > 1:
		logits = &grid{logits.data, k.Sequences / k.Choices, k.Choices}
	}
	return k.sequences(logits, labels)
}

// weighted computes the loss of a model without a head: the sum of the last layer's rows times the numbers of grad_output.
func (k *comparison) weighted() ([]float64, value, error) {
	weights := k.extra["grad_output"]
	if weights == nil {
		return without("the inputs have no grad_output")
	}
	_, tensor := k.source("last_hidden_state")
	last, err := k.grid("", tensor)
	if err != nil || last == nil {
		return nil, notProduced, err
	}
	if len(weights.data) != len(k.IDs)*last.columns {
		return without(fmt.Sprintf("grad_output has the shape %v", weights.shape))
	}
	sum := 0.0
	for i, row := range k.layout.row {
		for j, w := range weights.data[i*last.columns : (i+1)*last.columns] {
			switch {
			case row >= 0:
				sum += w * last.row(row)[j]
			case w != 0:
				return leftOut()
			}
		}
	}
	return single(sum)
}

// ignored is the label of a token that no loss counts.
const ignored = -100

// tokens computes the mean cross entropy over the tokens with a label.
func (k *comparison) tokens(logits *grid, labels *given) ([]float64, value, error) {
	var each []float64
	for i, label := range labels.data {
		row := k.layout.row[i]
		switch {
		case label == ignored:
			continue
		case row < 0:
			return leftOut()
		case label < 0 || int(label) >= logits.columns:
			return without(fmt.Sprintf("labels holds %v, the head has %d columns", label, logits.columns))
		}
		each = append(each, -logSoftmax(logits.row(row))[int(label)])
	}
	return single(meanOf(len(each), func(i int) float64 { return each[i] }))
}

// sequences computes the loss of a head with one row per sequence or question. The head's loss and the form of the labels decide which loss it is.
func (k *comparison) sequences(logits *grid, labels *given) ([]float64, value, error) {
	n := len(logits.data)
	switch {
	case k.produced.Loss == "mean_squared_error" && len(labels.data) == n:
		return single(squares(logits.data, labels.data))
	case k.produced.Loss == "binary_cross_entropy" && len(labels.data) == n:
		return single(meanOf(n, func(i int) float64 { return binaryCrossEntropy(logits.data[i], labels.data[i]) }))
	case k.produced.Loss == "cross_entropy" && !labels.integer && len(labels.data) == n: // the labels are probabilities
		return single(meanOf(logits.rows, func(i int) float64 {
			return crossEntropy(labels.data[i*logits.columns:(i+1)*logits.columns], logits.row(i))
		}))
	case k.produced.Loss == "cross_entropy" && labels.integer && len(labels.data) == logits.rows:
		return labelled(logits, labels)
	}
	return without(fmt.Sprintf("labels of the shape %v do not go with the head's loss %q", labels.shape, k.produced.Loss))
}

// labelled computes the mean cross entropy over the rows with a label. It is 0 if no row has one.
func labelled(logits *grid, labels *given) ([]float64, value, error) {
	sum, count := 0.0, 0
	for i, label := range labels.data {
		if label < 0 {
			continue
		}
		if int(label) >= logits.columns {
			return without(fmt.Sprintf("labels holds %v, the head has %d columns", label, logits.columns))
		}
		sum -= logSoftmax(logits.row(i))[int(label)]
		count++
	}
	return single(sum / float64(max(count, 1)))
}

// spans computes half the sum of two cross entropies over all positions of a sequence. The reference includes dead positions, so the loss is left out
// if there are any. A target beyond the sequence is ignored.
func (k *comparison) spans(logits *grid, start, end *given) ([]float64, value, error) {
	if logits.rows != len(k.IDs) {
		return leftOut()
	}
	if logits.columns != 2 || len(start.data) != k.Sequences || len(end.data) != k.Sequences {
		return without("start_positions and end_positions do not go with the head's rows")
	}
	total := 0.0
	for column, targets := range [][]float64{start.data, end.data} {
		var each []float64
		for s, target := range targets {
			at := min(max(int(target), 0), k.Length)
			if at == k.Length {
				continue
			}
			z := make([]float64, k.Length)
			for p := range z {
				z[p] = logits.row(s*k.Length + p)[column]
			}
			each = append(each, -logSoftmax(z)[at])
		}
		total += meanOf(len(each), func(i int) float64 { return each[i] }) / 2
	}
	return single(total)
}

// predicted computes the losses of the tokens that were to be predicted, in the order of the rows of a head on chosen rows.
func (k *comparison) predicted(pass string) ([]float64, value, error) {
	logits, err := k.grid(pass, outputTensor)
	if err != nil || logits == nil {
		return nil, notProduced, err
	}
	labels, err := k.need("labels", len(k.IDs), true)
	if err != nil {
		return nil, value{}, err
	}
	var each []float64
	for _, label := range labels.data {
		if label <= 0 {
			continue
		}
		if len(each) == logits.rows || int(label) >= logits.columns {
			return without(fmt.Sprintf("labels do not go with the head's %d rows of %d", logits.rows, logits.columns))
		}
		each = append(each, -logSoftmax(logits.row(len(each)))[int(label)])
	}
	return each, value{}, nil
}

// decoderLoss computes the losses of the enhanced mask decoder.
func (k *comparison) decoderLoss(name string) ([]float64, value, error) {
	each, v, err := k.predicted("")
	switch {
	case err != nil || v.reason != "":
		return nil, v, err
	case name == "loss_per_token":
		return each, v, nil
	case name == "loss":
		return single(meanOf(len(each), func(i int) float64 { return each[i] }))
	}
	return nil, notProduced, nil
}

// pairLoss computes the losses of a generator and a discriminator: the mean over the predicted tokens, the mean over all live tokens, and their weighted sum.
func (k *comparison) pairLoss(name string) ([]float64, value, error) {
	each, v, err := k.predicted(passGenerator)
	if err != nil || v.reason != "" {
		return nil, v, err
	}
	generator := meanOf(len(each), func(i int) float64 { return each[i] })
	if name == "mlm_loss" {
		return single(generator)
	}
	logits, err := k.grid(passDiscriminator, outputTensor)
	if err != nil || logits == nil {
		return nil, notProduced, err
	}
	targets, err := k.targets()
	if err != nil {
		return nil, value{}, err
	}
	if logits.rows != k.layout.tokens || logits.columns != 1 {
		return without("the discriminator does not produce one number per token")
	}
	sum := 0.0
	for i, row := range k.layout.row {
		if row >= 0 {
			sum += binaryCrossEntropy(logits.data[row], targets[i])
		}
	}
	sum /= float64(k.layout.tokens)
	switch name {
	case "rtd_loss":
		return single(sum)
	case "loss":
		return single(generator + k.Lambda*sum)
	}
	return nil, notProduced, nil
}

// perturbedLoss computes the losses of scale-invariant fine-tuning. For a head with one column, the numbers of the batch are one row.
func (k *comparison) perturbedLoss(name string) ([]float64, value, error) {
	z := map[string]*grid{}
	for _, pass := range []string{passClean, passProbe, passPerturbed} {
		g, err := k.grid(pass, outputTensor)
		if err != nil || g == nil {
			return nil, notProduced, err
		}
		if g.rows != k.Sequences {
			return leftOut()
		}
		if g.columns == 1 {
			g = &grid{g.data, 1, g.rows}
		}
		z[pass] = g
	}
	clean := z[passClean]
	over := func(other *grid, f func(a, b []float64) float64) (sum float64) {
		for i := range clean.rows {
			sum += f(other.row(i), clean.row(i))
		}
		return sum
	}
	if name == "inner_loss" {
		switch k.Inner {
		case "symmetric-kl":
			return single(over(z[passProbe], disagreement))
		case "kl":
			return single(over(z[passProbe], func(a, b []float64) float64 { return crossEntropy(softmax(b), a) }))
		case "mse":
			return single(squares(z[passProbe].data, clean.data))
		}
		return without(fmt.Sprintf("inner_loss %q is unknown: there are symmetric-kl, kl and mse", k.Inner))
	}
	adversarial := over(z[passPerturbed], disagreement) / float64(clean.rows)
	if name == "adv_loss" {
		return single(adversarial)
	}
	labels := k.extra["labels"]
	if labels == nil {
		return without("the inputs have no labels")
	}
	task, v, err := k.sequences(clean, labels)
	if err != nil || v.reason != "" {
		return nil, v, err
	}
	switch name {
	case "task_loss":
		return task, v, nil
	case "loss":
		return single(task[0] + k.Adversarial*adversarial)
	}
	return nil, notProduced, nil
}
