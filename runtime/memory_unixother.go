//go:build unix && !linux

package runtime

// adviseHuge does nothing: other systems choose page sizes themselves.
func adviseHuge([]byte) {}
