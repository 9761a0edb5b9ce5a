// Package metrics measures predictions against what is right. Its functions are pure, compute in float64, and document their formulas. Each equals the usual
// implementation of its metric, ties and absent classes included: scikit-learn for classes, rankings and correlations, SciPy for tests, seqeval for lists of
// tags, the official scripts for SQuAD and SuperGLUE. Recorded results of these are in testdata.
//
// A metric that is not defined for its input, such as the correlation of constant numbers, is NaN. A share whose denominator is 0, such as the precision of a
// class that was never predicted, is 0, as in scikit-learn.
package metrics
