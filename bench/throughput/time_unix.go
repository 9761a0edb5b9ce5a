//go:build unix

package main

import "syscall"

// processorTime is how long the program has run, in seconds, on all its threads. Other programs' share of the machine is not in it.
func processorTime() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}
