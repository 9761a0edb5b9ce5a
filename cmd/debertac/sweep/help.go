package sweep

// Help returns the help texts that are too long for tags. The tag of such a flag has @ and the name of the text.
func Help() map[string]string {
	return map[string]string{
		"sweep_batch": "Sequences per call. Default: 1; with --train 8, or the sequences of a pass if they are fewer. " +
			"Several numbers are measured one after the other, with each of --tokens, --threads and --isa.",
		"sweep_tokens": "Tokens per sequence. Default: 128, or the longest sequence of the spec if it is shorter.",
		"sweep_train": "Measure steps of this training of the spec: forward pass, backward pass and optimizer, dropout on. " +
			"A target does not need to emit it.",
		"sweep_isa": "Instruction sets: go, avx2, avx512; weights bf16 and trainings in bf16 also have avx512bf16. Default: the best of this machine.",
		"sweep_repeat": "Measure all points this many times in turn, each time in a fresh process, and report the median and the standard deviation of " +
			"the rounds. Default: 1; with --against 6, the fewest that give an interval.",
		"sweep_cpuprofile": "Write a CPU profile of the measured calls, for go tool pprof. For one point and one round.",
		"sweep_format":     "Form of the results. Default: a paragraph for one point, a table for several.",
	}
}
