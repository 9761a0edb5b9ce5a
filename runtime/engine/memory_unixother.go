//go:build unix && !linux

package engine

// adviseHuge does nothing: other systems choose page sizes themselves.
func adviseHuge([]byte) {}
