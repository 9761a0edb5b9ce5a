package build

import (
	"runtime/debug"
	"strings"
)

// programPackage holds the variables that the linker sets in built programs.
const programPackage = "github.com/debertac/debertac/runtime/command"

// Stamp identifies the debertac that a program is, or that built it.
type Stamp struct {
	Version  string // of the module, such as v1.2.3; "(devel)" for a work tree without tags
	Revision string // commit, with + at the end if the work tree had changes; "" if Go did not record it
}

// OwnStamp returns the stamp of the running program.
func OwnStamp() Stamp {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return Stamp{Version: "(unknown)"}
	}
	return stampOf(info)
}

// stampOf reads a stamp from the build information of a program.
func stampOf(info *debug.BuildInfo) Stamp {
	s := Stamp{Version: info.Main.Version}
	if s.Version == "" {
		s.Version = "(devel)"
	}
	changed := false
	for _, b := range info.Settings {
		switch b.Key {
		case "vcs.revision":
			s.Revision = b.Value
		case "vcs.modified":
			changed = b.Value == "true"
		}
	}
	if changed && s.Revision != "" {
		s.Revision += "+"
	}
	return s
}

// linkFlags returns the flags that pass the stamp to the linker. Values that would need quotes are left out.
func (s Stamp) linkFlags() string {
	flags := ""
	for _, v := range []struct{ name, value string }{{"Version", s.Version}, {"Revision", s.Revision}} {
		if v.value != "" && !strings.ContainsAny(v.value, " \t\n\"'") {
			flags += " -X " + programPackage + "." + v.name + "=" + v.value
		}
	}
	return flags
}
