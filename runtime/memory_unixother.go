//go:build unix && !linux

package runtime

// adviseHuge does nothing: other systems choose page sizes by themselves.
func adviseHuge([]byte) {}
