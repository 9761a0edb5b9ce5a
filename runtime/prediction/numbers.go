package prediction

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/debertac/debertac/runtime/metrics"
)

// numbers are predictions of one number each.
type numbers struct {
	gold, score []float64
	groups      namer
	group       []int
	x, y        []float64 // of a sample
	byGold      *metrics.Order
	byScore     *metrics.Order
}

func (n *numbers) add(p *Prediction) error {
	gold, ok := realOf(p.Gold)
	if !ok || nan(gold) {
		return errors.New(`"gold" must be the right number`)
	}
	score, ok := realOf(p.Label)
	if p.Score != nil {
		score, ok = *p.Score, true
	}
	if !ok || nan(score) {
		return errors.New(`"score" must be the number that was predicted`)
	}
	n.gold, n.score = append(n.gold, gold), append(n.score, score)
	if p.Group != "" {
		n.group = append(n.group, n.groups.of(p.Group))
	}
	return nil
}

func (n *numbers) units() int { return len(n.gold) }

// ranked reports whether the numbers are those of documents in groups.
func (n *numbers) ranked() bool { return len(n.group) == len(n.gold) }

func (n *numbers) names() (list []string, intervals int) {
	list = []string{"pearson", "spearman", "mean_squared_error"}
	intervals = len(list)
	if n.ranked() {
		list = append(list, rankMetrics...)
	}
	return list, intervals
}

func (n *numbers) measure(sample []int, out []float64) {
	n.x, n.y = n.x[:0], n.y[:0]
	for _, i := range sample {
		n.x, n.y = append(n.x, n.gold[i]), append(n.y, n.score[i])
	}
	pearson, squares := metrics.Pearson(n.x, n.y), metrics.MeanSquaredError(n.x, n.y)
	copy(out, []float64{pearson, n.spearman(sample), squares})
	if !n.ranked() || len(out) <= 3 {
		return
	}
	groups := make([]list, len(n.groups.list))
	for _, i := range sample {
		g := &groups[n.group[i]]
		g.score, g.gold = append(g.score, n.score[i]), append(g.gold, n.gold[i])
	}
	rank(groups, out[3:])
}

// spearman returns the rank correlation of a sample. All numbers are sorted once, and not in each sample.
func (n *numbers) spearman(sample []int) float64 {
	if n.byGold == nil {
		n.byGold, n.byScore = metrics.NewOrder(n.gold), metrics.NewOrder(n.score)
	}
	n.x, n.y = n.byGold.Ranks(sample, n.x), n.byScore.Ranks(sample, n.y)
	return metrics.Pearson(n.x, n.y)
}

func (n *numbers) finish(*Report) {}

// lists are predictions of the scores of a list of documents each, or of the similarities of a list of texts.
type lists struct {
	all       []list
	retrieved bool // accuracy is the share of lists whose best one is right, not that of pairs
}

type list struct{ score, gold []float64 }

func (l *lists) add(p *Prediction) error {
	gold, ok := realsOf(p.Gold)
	if !ok || nan(gold...) {
		return errors.New(`"gold" must be a list of numbers, one per document: the higher, the better`)
	}
	score := p.Scores
	if score == nil {
		score, _ = realsOf(p.Label)
	}
	switch {
	case len(score) != len(gold):
		return fmt.Errorf("\"gold\" has %d numbers, and \"scores\" has %d: there must be one of each per document", len(gold), len(score))
	case len(gold) < 2:
		return fmt.Errorf("a list of %d documents has no order: it must have two or more", len(gold))
	case nan(score...):
		return errors.New(`"scores" has numbers that are not finite`)
	}
	l.all = append(l.all, list{score, gold})
	return nil
}

func (l *lists) units() int { return len(l.all) }

// ndcgAt is the number of documents that NDCG counts.
const ndcgAt = 10

// rankMetrics are the metrics of lists. accuracy is that of pairs; top is the share of lists whose best document is one of the most relevant.
var rankMetrics = []string{"accuracy", "top", "mrr", "ndcg"}

func (l *lists) names() ([]string, int) {
	if l.retrieved {
		return []string{"accuracy", "mrr", "ndcg"}, 3
	}
	return rankMetrics, len(rankMetrics)
}

func (l *lists) measure(sample []int, out []float64) {
	all := make([]list, 0, len(sample))
	for _, i := range sample {
		all = append(all, l.all[i])
	}
	if !l.retrieved {
		rank(all, out)
		return
	}
	var four [4]float64
	rank(all, four[:])
	copy(out, four[1:])
}

// rank computes rankMetrics. The most relevant documents of a list are the relevant ones of the mean reciprocal rank.
func rank(all []list, out []float64) {
	var right, pairs, top, mrr, ndcg, n float64
	for i := range all {
		x := &all[i]
		if len(x.gold) == 0 {
			continue
		}
		n++
		r, p := metrics.PairAccuracy(x.score, x.gold)
		right, pairs = right+r, pairs+p
		relevant := make([]bool, len(x.gold))
		most := slices.MaxFunc(x.gold, cmp.Compare)
		for k, g := range x.gold {
			relevant[k] = g == most
		}
		reciprocal := metrics.ReciprocalRank(x.score, relevant)
		if mrr += reciprocal; reciprocal == 1 {
			top++
		}
		if slices.Min(x.gold) < 0 { // a gain is not defined
			ndcg = math.NaN()
		}
		ndcg += metrics.NDCG(x.score, x.gold, ndcgAt)
	}
	copy(out, []float64{right / pairs, top / n, mrr / n, ndcg / n})
}

func (l *lists) finish(*Report) {}
