package metrics

import (
	"cmp"
	"slices"
	"strings"
)

// ExactMatch reports whether two answers are the same by the rules of SQuAD: whether NormalizeAnswer makes the same text of them.
func ExactMatch(gold, answer string) bool { return NormalizeAnswer(gold) == NormalizeAnswer(answer) }

// AnswerF1 returns the F1 of two answers as bags of words, by the evaluation script of SQuAD 1.1, and ReCoRD's, which is the same: 2·common/(words of both),
// where words are those of NormalizeAnswer. It is 0 if nothing is common, so two empty answers have an F1 of 0 and are an exact match.
func AnswerF1(gold, answer string) float64 {
	a, b := strings.Fields(NormalizeAnswer(gold)), strings.Fields(NormalizeAnswer(answer))
	same := common(a, b)
	if same == 0 {
		return 0
	}
	precision, recall := float64(same)/float64(len(b)), float64(same)/float64(len(a))
	return 2 * precision * recall / (precision + recall)
}

// common returns the number of words that two lists have in common, each as often as it is in both.
func common(a, b []string) int {
	counts := map[string]int{}
	for _, w := range a {
		counts[w]++
	}
	n := 0
	for _, w := range b {
		if counts[w] > 0 {
			counts[w]--
			n++
		}
	}
	return n
}

// BestAnswer returns the best exact match, 0 or 1, and the best F1 of an answer over all right answers, as SQuAD 1.1 and ReCoRD count. There must be a right
// answer.
func BestAnswer(gold []string, answer string) (exact, f1 float64) {
	for _, g := range gold {
		if ExactMatch(g, answer) {
			exact = 1
		}
		f1 = max(f1, AnswerF1(g, answer))
	}
	return exact, f1
}

// BestAnswerV2 returns the same by the script of SQuAD 2.0. A question without right answers has the empty answer as its only right one, and right answers
// that NormalizeAnswer makes empty do not count. Two empty answers have an F1 of 1.
func BestAnswerV2(gold []string, answer string) (exact, f1 float64) {
	gold = slices.DeleteFunc(slices.Clone(gold), func(g string) bool { return NormalizeAnswer(g) == "" })
	if len(gold) == 0 {
		gold = []string{""}
	}
	for _, g := range gold {
		if ExactMatch(g, answer) {
			exact = 1
		}
		a, b := NormalizeAnswer(g), NormalizeAnswer(answer)
		switch {
		case a == "" && b == "":
			f1 = 1
		case a != "" && b != "":
			f1 = max(f1, AnswerF1(g, answer))
		}
	}
	return exact, f1
}

// Asked is a question of SQuAD 2.0 with its answer, for BestThreshold.
type Asked struct {
	Answerable bool    // the question has right answers
	Answered   bool    // the answer is not empty
	Score      float64 // exact match or F1 of the answer, from 0 to 1
	NoAnswer   float64 // how sure the model is that there is no answer; a higher number is surer
}

// BestThreshold returns the threshold for NoAnswer, above which questions count as having no answer, that makes the sum of the scores highest, and this sum.
// It is find_best_thresh of the script of SQuAD 2.0. It begins with no question answered, at a threshold of 0, and goes through the questions in the order
// of NoAnswer; ties: in the order of the list. The first of several best thresholds counts.
func BestThreshold(list []Asked) (sum, threshold float64) {
	order := make([]int, len(list))
	for i := range list {
		order[i] = i
		if !list[i].Answerable {
			sum++
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(list[a].NoAnswer, list[b].NoAnswer) })
	now := sum
	for _, i := range order {
		switch q := &list[i]; {
		case q.Answerable:
			now += q.Score
		case q.Answered:
			now--
		}
		if now > sum {
			sum, threshold = now, list[i].NoAnswer
		}
	}
	return sum, threshold
}
