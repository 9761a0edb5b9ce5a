package kernel

// SampleFiles are patterns of the file names that [SamplePackage] returns: a
// file that matches one but is not returned is an orphan.
var SampleFiles = []string{"*_amd64.s", "kernels_amd64.go", "kernels_other.go"}

// SamplePackage returns the files of the checked-in package generated/kernels,
// which holds the samples of every family (see [Samples]) by file name.
func SamplePackage() (map[string][]byte, error) {
	return Package("codegen/kernel/sampleset", "kernels", Samples())
}
