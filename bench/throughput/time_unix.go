//go:build unix

package main

import "syscall"

// processorTime returns the processor time of the program, in seconds, of all its threads. It does not include the time of other programs.
func processorTime() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}
