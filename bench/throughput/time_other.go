//go:build !unix

package main

import "time"

var began = time.Now()

// processorTime returns the time since the start, in seconds. It stands in for the program's processor time on systems that do not report it.
func processorTime() float64 { return time.Since(began).Seconds() }
