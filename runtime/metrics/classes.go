package metrics

import "math"

// Classes counts, for each class, how often it was right, expected and predicted. Examples have one class each (Add), or several (AddSets). The zero value has
// no classes; NewClasses makes room for some.
type Classes struct {
	Right     []int // examples of the class for which it was predicted (true positives) [C]
	Gold      []int // examples of the class [C]
	Predicted []int // examples for which the class was predicted [C]
}

// NewClasses returns counts of zero for n classes.
func NewClasses(n int) *Classes { return &Classes{make([]int, n), make([]int, n), make([]int, n)} }

// Clear sets all counts to 0.
func (c *Classes) Clear() {
	clear(c.Right)
	clear(c.Gold)
	clear(c.Predicted)
}

// Add counts an example that has one class.
func (c *Classes) Add(gold, predicted int) {
	c.Gold[gold]++
	c.Predicted[predicted]++
	if gold == predicted {
		c.Right[gold]++
	}
}

// AddSets counts an example that has a set of classes. No class may be in a list twice.
func (c *Classes) AddSets(gold, predicted []int) {
	for _, g := range gold {
		c.Gold[g]++
	}
	for _, p := range predicted {
		c.Predicted[p]++
		for _, g := range gold {
			if g == p {
				c.Right[p]++
			}
		}
	}
}

// Share holds precision, recall and F1 of one class, or their averages.
type Share struct {
	Precision float64 `json:"precision"` // right / predicted
	Recall    float64 `json:"recall"`    // right / expected
	F1        float64 `json:"f1"`        // 2·right / (expected + predicted), the harmonic mean of both
}

// ShareOf returns precision, recall and F1 of counts.
func ShareOf(right, gold, predicted int) Share {
	return Share{over(right, predicted), over(right, gold), over(2*right, gold+predicted)}
}

// over returns n/d, or 0 if d is 0.
func over(n, d int) float64 {
	if d == 0 {
		return 0
	}
	return float64(n) / float64(d)
}

// Of returns precision, recall and F1 of a class.
func (c *Classes) Of(class int) Share {
	return ShareOf(c.Right[class], c.Gold[class], c.Predicted[class])
}

// sums returns the counts of all classes together.
func (c *Classes) sums() (right, gold, predicted int) {
	for i := range c.Right {
		right, gold, predicted = right+c.Right[i], gold+c.Gold[i], predicted+c.Predicted[i]
	}
	return right, gold, predicted
}

// Micro returns precision, recall and F1 of the counts of all classes together. If every example has one class, all three are the accuracy.
func (c *Classes) Micro() Share { return ShareOf(c.sums()) }

// Macro returns the means of precision, recall and F1 over the classes that are expected or predicted somewhere, as scikit-learn's average="macro" does
// without the argument labels. Without such classes they are 0.
func (c *Classes) Macro() Share {
	var sum Share
	n := 0
	for i := range c.Right {
		if c.Gold[i]+c.Predicted[i] == 0 {
			continue
		}
		s := c.Of(i)
		sum.Precision, sum.Recall, sum.F1 = sum.Precision+s.Precision, sum.Recall+s.Recall, sum.F1+s.F1
		n++
	}
	if n > 0 {
		sum.Precision, sum.Recall, sum.F1 = sum.Precision/float64(n), sum.Recall/float64(n), sum.F1/float64(n)
	}
	return sum
}

// Accuracy returns the share of examples whose class was predicted. It is meant for examples with one class each. Without examples it is NaN.
func (c *Classes) Accuracy() float64 {
	right, gold, _ := c.sums()
	if gold == 0 {
		return math.NaN()
	}
	return float64(right) / float64(gold)
}

// MCC returns the Matthews correlation coefficient of examples with one class each, for any number of classes (Gorodkin 2004, "Comparing two K-category
// assignments by a K-category correlation coefficient"):
//
//	(n·Σr - Σ g·p) / √((n² - Σg²)·(n² - Σp²))
//
// with the sums over classes, where g, p and r are how often a class is expected, predicted and right, and n is the number of examples. It is 0 if all
// examples have one class, or all predictions.
func (c *Classes) MCC() float64 {
	right, n, _ := c.sums()
	var gp, gg, pp float64
	for i := range c.Gold {
		g, p := float64(c.Gold[i]), float64(c.Predicted[i])
		gp, gg, pp = gp+g*p, gg+g*g, pp+p*p
	}
	all := float64(n) * float64(n)
	below := (all - gg) * (all - pp)
	if below == 0 {
		return 0
	}
	return (float64(n)*float64(right) - gp) / math.Sqrt(below)
}

// Confusion returns how often each class was predicted for the examples of each class: [C][C], a row per expected class, a column per predicted class.
func Confusion(classes int, gold, predicted []int) [][]int {
	m := make([][]int, classes)
	for i := range m {
		m[i] = make([]int, classes)
	}
	for i, g := range gold {
		m[g][predicted[i]]++
	}
	return m
}

// Groups returns the measures of MultiRC (Khashabi et al. 2018) for answers that are judged one by one and belong to questions: exact is the share of
// questions all of whose answers are judged rightly, and f1 the mean over the questions of the macro F1 of their answers. group[i] is the question of answer
// i, a number from 0 to below groups, and gold[i] its class, below classes. The measure F1a is the F1 of the class of right answers over all answers, see
// Classes.Of. Without questions both are NaN.
func Groups(groups, classes int, group, gold, predicted []int) (exact, f1 float64) {
	counts := make([]*Classes, groups)
	for i, g := range group {
		if counts[g] == nil {
			counts[g] = NewClasses(classes)
		}
		counts[g].Add(gold[i], predicted[i])
	}
	n := 0
	for _, c := range counts {
		if c == nil {
			continue
		}
		n++
		f1 += c.Macro().F1
		if c.Accuracy() == 1 {
			exact++
		}
	}
	return exact / float64(n), f1 / float64(n)
}

// Join adds the counts of other examples with the same classes.
func (c *Classes) Join(other *Classes) {
	for i := range c.Right {
		c.Right[i] += other.Right[i]
		c.Gold[i] += other.Gold[i]
		c.Predicted[i] += other.Predicted[i]
	}
}
