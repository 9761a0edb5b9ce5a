//go:build !unix

package main

import "time"

var began = time.Now()

// processorTime returns the time since the start, in seconds, where the system does not tell the program's own.
func processorTime() float64 { return time.Since(began).Seconds() }
