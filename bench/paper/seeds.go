package main

import (
	"fmt"
	"math"

	"github.com/debertac/debertac/runtime/metrics"
)

// student holds the 97.5 % quantiles of Student's distribution for 1, 2, … degrees of freedom.
var student = []float64{12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262}

// interval returns the mean of shares over seeds in percent, with the half width of its 95 % interval by Student's distribution.
func interval(list []float64) string {
	text := fmt.Sprintf("%.1f", 100*metrics.Mean(list))
	if n := len(list); n > 1 && n-2 < len(student) {
		text += fmt.Sprintf(" ± %.1f", 100*student[n-2]*metrics.Deviation(list)/math.Sqrt(float64(n)))
	}
	return text
}

// extremes returns the smallest, the largest and the mean of shares in percent, as Table 14 prints them.
func extremes(list []float64) string {
	low, high := list[0], list[0]
	for _, v := range list {
		low, high = min(low, v), max(high, v)
	}
	return fmt.Sprintf("%.1f/%.1f/%.1f", 100*low, 100*high, 100*metrics.Mean(list))
}

// probability returns a p-value as text. It is missing if there are too few numbers, or if none varies.
func probability(p float64) string {
	switch {
	case math.IsNaN(p):
		return "not defined"
	case p < 0.0001:
		return "< 0.0001"
	}
	return fmt.Sprintf("%.4f", p)
}
