package build

import (
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestStamp checks that version and commit come from Go's build information, and that a changed work tree is marked.
func TestStamp(t *testing.T) {
	vcs := func(revision, modified string) []debug.BuildSetting {
		return []debug.BuildSetting{{Key: "GOOS", Value: "linux"}, {Key: "vcs.revision", Value: revision}, {Key: "vcs.modified", Value: modified}}
	}
	for _, c := range []struct {
		info  debug.BuildInfo
		want  Stamp
		flags string
	}{
		{debug.BuildInfo{}, Stamp{Version: "(devel)"}, " -X github.com/debertac/debertac/runtime/command.Version=(devel)"},
		{debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}, Settings: vcs("abc", "false")}, Stamp{"v1.2.3", "abc"},
			" -X github.com/debertac/debertac/runtime/command.Version=v1.2.3 -X github.com/debertac/debertac/runtime/command.Revision=abc"},
		{debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}, Settings: vcs("abc", "true")}, Stamp{"v1.2.3", "abc+"},
			" -X github.com/debertac/debertac/runtime/command.Version=v1.2.3 -X github.com/debertac/debertac/runtime/command.Revision=abc+"},
		{debug.BuildInfo{Main: debug.Module{Version: "a b"}}, Stamp{Version: "a b"}, ""},
	} {
		got := stampOf(&c.info)
		require.Equal(t, c.want, got)
		require.Equal(t, c.flags, got.linkFlags())
	}
}
