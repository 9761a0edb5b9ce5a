package main

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"

	"github.com/debertac/debertac/cmd/debertac/cache"
	"github.com/debertac/debertac/cmd/debertac/fault"
)

// specialModes are the kinds of files that are not regular files, by their names in scripts.
var specialModes = map[string]fs.FileMode{"fifo": fs.ModeNamedPipe, "socket": fs.ModeSocket, "device": fs.ModeDevice | fs.ModeCharDevice,
	"endless": fs.ModeDevice | fs.ModeCharDevice}

// special is the script command "special KIND PATH": it makes a FIFO, a socket, a device that accepts all writes, or a device from which zeros can be
// read without end. Where this user may not make a device, it makes a FIFO instead.
func special(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 || specialModes[args[0]] == 0 {
		ts.Fatalf("usage: special fifo|socket|device|endless PATH")
	}
	path := ts.MkAbs(args[1])
	switch args[0] {
	case "fifo":
		ts.Check(unix.Mkfifo(path, 0o666))
	case "socket":
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
		ts.Check(err)
		l.SetUnlinkOnClose(false)
		ts.Check(l.Close())
	default:
		minor := map[string]uint32{"device": 3, "endless": 5}[args[0]]
		if err := unix.Mknod(path, unix.S_IFCHR|0o666, int(unix.Mkdev(1, minor))); err != nil {
			ts.Logf("no device can be made here (%v): a FIFO stands for it", err)
			ts.Check(unix.Mkfifo(path, 0o666))
		}
	}
}

// still is the script command "still KIND PATH": the file that special made must still be there, unchanged.
func still(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 || specialModes[args[0]] == 0 {
		ts.Fatalf("usage: still KIND PATH")
	}
	st, err := os.Lstat(ts.MkAbs(args[1]))
	ts.Check(err)
	if have := st.Mode().Type(); have != specialModes[args[0]] && have != fs.ModeNamedPipe {
		ts.Fatalf("%s is of the kind %v now", args[1], have)
	}
}

// islink is the script command "islink PATH": a link must be there.
func islink(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: islink PATH")
	}
	if _, err := os.Readlink(ts.MkAbs(args[0])); err != nil {
		ts.Fatalf("%s is no link any more", args[0])
	}
}

// lost is the script command "lost COMMAND …": with an output that accepts no writes, the command must end with exit code 1 and report that the
// output is lost. On systems without such a device it does nothing.
func lost(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: lost COMMAND …")
	}
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		ts.Logf("this system has no /dev/full")
		return
	}
	defer full.Close()
	path := ""
	for _, dir := range filepath.SplitList(ts.Getenv("PATH")) {
		if p := filepath.Join(dir, args[0]); path == "" {
			if _, err := os.Stat(p); err == nil {
				path = p
			}
		}
	}
	var said strings.Builder
	cmd := exec.Command(path, args[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = ts.MkAbs("."), full, &said
	for _, name := range []string{"PATH", "HOME", "NO_COLOR", cache.Env} {
		cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
	}
	err = cmd.Run()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != fault.ExitInput || !strings.Contains(said.String(), "no space left on device") {
		ts.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, said.String())
	}
}
