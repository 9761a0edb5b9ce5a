package main

import (
	"fmt"
	"strings"
	"time"
)

// progress says what is being done, on a terminal only and only if it takes a while; the function that it gives ends that.
func (a *app) progress(what string) (stop func()) {
	if !a.tty {
		return func() {}
	}
	done, ended := make(chan struct{}), make(chan struct{})
	begin := time.Now()
	go func() {
		defer close(ended)
		tick := time.NewTicker(500 * time.Millisecond)
		defer tick.Stop()
		for shown := false; ; shown = true {
			select {
			case <-tick.C:
				fmt.Fprintf(a.err, "\r%s … %.0f s", what, time.Since(begin).Seconds())
			case <-done:
				if shown {
					fmt.Fprintf(a.err, "\r%s\r", strings.Repeat(" ", len(what)+12))
				}
				return
			}
		}
	}()
	return func() { close(done); <-ended }
}

// building is progress for a build. One that takes longer than a second is announced in a line of its own, on a terminal or not: the first build of a
// machine compiles Go's standard library too.
func (a *app) building() (stop func()) {
	bar := a.progress("building")
	if a.quiet {
		return bar
	}
	line := "debertac: building the program with Go. This takes a few seconds, and up to a minute where Go's own cache is empty."
	if a.tty {
		line = "\r" + line // in the place of the progress
	}
	slow := time.AfterFunc(time.Second, func() { a.note("%s", line) })
	return func() {
		slow.Stop()
		bar()
	}
}
