package tasktable

import (
	"slices"
	"strings"
)

// The losses of the language. z are the numbers of a head.
const (
	CrossEntropy       = "cross_entropy"        // -log of the right class's share in the softmax of a row
	BinaryCrossEntropy = "binary_cross_entropy" // each number by itself: log(1 + exp z) - y·z with the target y
	MeanSquaredError   = "mean_squared_error"   // (z - y)²
	// Contrastive compares vectors of texts in pairs (van den Oord et al. 2018): the cross entropy of cos(a_i, b_j)/temperature over all second texts b_j of
	// the batch, where b_i is the right one for the first text a_i.
	Contrastive = "contrastive"
	// CosineSimilarity compares the vectors of two texts with a score (Reimers and Gurevych 2019): (cos(a, b) - y)² for each pair.
	CosineSimilarity = "cosine_similarity"
	// Pairwise compares scores (Burges et al. 2005): log(1 + exp(z_j - z_i)) for each pair of texts of a group of which i has the higher target.
	Pairwise = "pairwise"
	// Listwise compares scores (Cao et al. 2007): the cross entropy of the softmax of a group's scores with the softmax of its targets.
	Listwise = "listwise"
	// Focal is the binary cross entropy times alpha_y·(1-p_y)^gamma (Lin et al. 2017), where p_y is the probability of the target y, alpha_1 = alpha and
	// alpha_0 = 1 - alpha.
	Focal = "focal"
)

// Losses lists the losses of the language.
var Losses = []string{CrossEntropy, BinaryCrossEntropy, MeanSquaredError, Contrastive, CosineSimilarity, Pairwise, Listwise, Focal}

// purposes tells, for the losses of a few kinds of heads, what they do.
var purposes = map[string]string{
	Contrastive:      "contrastive compares the vectors of texts",
	CosineSimilarity: "cosine_similarity compares the vectors of texts",
	Pairwise:         "pairwise compares the scores of two texts",
	Listwise:         "listwise compares the scores of a list of texts",
	Focal:            "focal judges each label by itself",
}

// Elsewhere maps names that losses have in other libraries, in lower case without spaces and underscores, to losses of the language that do the same or stand
// nearest to them.
var Elsewhere = map[string]string{
	"multiplenegativesranking": Contrastive, "multiplenegativesrankingloss": Contrastive, "infonce": Contrastive, "ntxent": Contrastive, "mnrl": Contrastive,
	"inbatchnegatives": Contrastive, "triplet": Contrastive, "tripletloss": Contrastive, "cosine": CosineSimilarity, "cosinesimilarityloss": CosineSimilarity,
	"cosent": CosineSimilarity, "cosentloss": CosineSimilarity, "angle": CosineSimilarity, "angleloss": CosineSimilarity, "ranknet": Pairwise,
	"listnet": Listwise, "mse": MeanSquaredError, "mseloss": MeanSquaredError, "bce": BinaryCrossEntropy, "bcewithlogitsloss": BinaryCrossEntropy,
	"crossentropyloss": CrossEntropy, "focalloss": Focal,
}

// OfVectors reports whether a loss compares the directions of vectors of texts in pairs. Such a loss needs no numbers of a head.
func OfVectors(loss string) bool { return loss == Contrastive || loss == CosineSimilarity }

// Sigmoid reports whether a loss judges each number by itself, so that probabilities are sigmoids of the numbers and not a softmax of a row.
func Sigmoid(loss string) bool { return loss == BinaryCrossEntropy || loss == Focal }

// Misfit is a message about a head, with LOSS in place of its loss, and a hint with words that repair the head.
type Misfit struct{ Message, Hint string }

// Misfit returns what is wrong with the rows, the loss and the columns of a head, or nil if they fit each other.
func (h Head) Misfit() *Misfit {
	for i := range Table {
		if r := &Table[i]; slices.Contains(r.Claims, h.Take) {
			switch {
			case !r.judges(h.Loss):
				return h.lossMisfit(r)
			case !r.has(h), h.As == AsNumbers && r.As != AsNumbers:
				return r.ColumnsMisfit.of(h)
			}
		}
	}
	if h.As == AsNumbers {
		if r := Of(h.Task()); r != nil && !r.judges(h.Loss) {
			return h.lossMisfit(r)
		}
		return nil
	}
	var first *Row
	for i := range Table {
		r := &Table[i]
		switch {
		case r.As != h.As:
		case !slices.Contains(r.Take, h.Take):
			if first == nil {
				first = r
			}
		case !r.judges(h.Loss):
			return h.lossMisfit(r)
		default:
			return nil
		}
	}
	if first == nil {
		return nil
	}
	return first.TakeMisfit.of(h)
}

// lossMisfit returns the message about a loss that does not fit a row. For a loss of a few kinds of heads it names these, and the hint is one of them.
func (h Head) lossMisfit(r *Row) *Misfit {
	purpose := purposes[h.Loss]
	switch {
	case purpose == "" && len(r.Losses) == 0 && r.LossMisfit.Message == "":
		return Misfit{"heads for " + r.Kind + " have no loss, so LOSS does not fit", r.Sample}.of(h)
	case purpose == "":
		return r.LossMisfit.of(h)
	}
	var kinds []string
	hint := ""
	for i := range Table {
		if t := &Table[i]; slices.Contains(t.Losses, h.Loss) {
			kinds = append(kinds, t.Kind)
			if hint == "" {
				sample, _, _ := strings.Cut(t.Sample, "; loss ")
				hint = sample + "; loss " + h.Loss
			}
		}
	}
	return &Misfit{purpose + ": it is a loss of heads for " + strings.Join(kinds, ", "), hint}
}

// judges reports whether a loss fits the row; "" stands for a head without a loss.
func (r *Row) judges(loss string) bool { return loss == "" || slices.Contains(r.Losses, loss) }

// of returns the message with the head's loss filled in.
func (m Misfit) of(h Head) *Misfit {
	m.Message = strings.ReplaceAll(m.Message, "LOSS", h.Loss)
	return &m
}
