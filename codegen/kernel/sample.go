package kernel

// SampleFiles holds patterns of the file names that [SamplePackage] returns. A file that matches a pattern but is not returned is an orphan.
var SampleFiles = []string{"*_amd64.s", "kernels_amd64.go", "kernels_other.go"}

// SamplePackage returns the files of the checked-in package generated/kernels, by file name. The package holds the samples of every family (see [Samples]).
func SamplePackage() (map[string][]byte, error) {
	return Package("codegen/kernel/sampleset", "kernels", Samples())
}
