package metrics

import (
	"cmp"
	"math"
	"slices"
)

// PairAccuracy compares the scores of a list of documents with their relevance, in pairs: it returns the number of pairs of documents that differ in
// relevance, and how many of them the scores put in the right order. A pair with equal scores counts as half.
func PairAccuracy(scores, relevance []float64) (right, pairs float64) {
	for i := range scores {
		for j := range i {
			order := cmp.Compare(relevance[i], relevance[j])
			if order == 0 {
				continue
			}
			pairs++
			switch {
			case scores[i] == scores[j]:
				right += 0.5
			case (scores[i] > scores[j]) == (order > 0):
				right++
			}
		}
	}
	return right, pairs
}

// ReciprocalRank returns 1/rank of the best document of a list that is relevant. The rank is the number of documents that are not relevant and have no lower
// score, plus 1, so equal scores never help. It is 0 if no document is relevant.
func ReciprocalRank(scores []float64, relevant []bool) float64 {
	best, found := math.Inf(-1), false
	for i, r := range relevant {
		if r && (!found || scores[i] > best) {
			best, found = scores[i], true
		}
	}
	if !found {
		return 0
	}
	rank := 1
	for i, r := range relevant {
		if !r && scores[i] >= best {
			rank++
		}
	}
	return 1 / float64(rank)
}

// NDCG returns the normalized discounted cumulative gain of the k best documents of a list (Järvelin and Kekäläinen 2002): Σ relevance/log₂(1+rank) over the
// documents of ranks 1 to k by their scores, divided by the highest possible sum. Documents with equal scores share the mean of their discounts, so their
// order in the list has no effect, as in scikit-learn's ndcg_score. Relevance must not be negative. k below 1 stands for all documents. It is 0 if no
// document is relevant.
func NDCG(scores, relevance []float64, k int) float64 {
	if k < 1 || k > len(scores) {
		k = len(scores)
	}
	ideal := gain(relevance, relevance, k)
	if ideal == 0 {
		return 0
	}
	return gain(scores, relevance, k) / ideal
}

// gain returns the discounted cumulative gain of the k best documents.
func gain(scores, relevance []float64, k int) float64 {
	order := make([]int, len(scores))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(scores[b], scores[a]) })
	sum := 0.0
	for i := 0; i < len(order); {
		j, gains, discounts := i, 0.0, 0.0
		for ; j < len(order) && scores[order[j]] == scores[order[i]]; j++ {
			gains += relevance[order[j]]
			if j < k {
				discounts += 1 / math.Log2(float64(j+2))
			}
		}
		sum += gains / float64(j-i) * discounts
		i = j
	}
	return sum
}
