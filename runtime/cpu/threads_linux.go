package cpu

import "golang.org/x/sys/unix"

// Allowed returns the logical processors of the process's affinity mask.
func Allowed() []int {
	var set unix.CPUSet
	if unix.SchedGetaffinity(0, &set) != nil {
		return nil
	}
	var list []int
	for c := range len(set) * 64 {
		if set.IsSet(c) {
			list = append(list, c)
		}
	}
	return list
}

// Bind binds the calling thread to one processor. A refusal does no harm: the thread then
// runs where the system puts it.
func Bind(cpu int) {
	var set unix.CPUSet
	set.Set(cpu)
	_ = unix.SchedSetaffinity(0, &set)
}
