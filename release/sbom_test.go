package main

import (
	"crypto/sha256"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestBill checks that the bill of a program lists what `go version -m` lists, and that it is always the same.
func TestBill(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("no Go toolchain")
	}
	exe := filepath.Join(t.TempDir(), "program")
	// the smallest program in this module that links other modules
	said, err := exec.Command("go", "build", "-trimpath", "-o", exe, "../docs/tables").CombinedOutput()
	require.NoError(t, err, "%s", said)
	text, err := bill(exe)
	require.NoError(t, err)
	again, err := bill(exe)
	require.NoError(t, err)
	require.Equal(t, text, again)
	var d document
	require.NoError(t, json.Unmarshal(text, &d))
	require.Equal(t, "CycloneDX", d.Format)
	require.Regexp(t, `^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`, d.Serial)
	listed, err := exec.Command("go", "version", "-m", exe).Output()
	require.NoError(t, err)
	modules := regexp.MustCompile(`(?m)^\tdep\t(\S+)\t(\S+)`).FindAllStringSubmatch(string(listed), -1)
	require.NotEmpty(t, modules)
	require.Len(t, d.Components, len(modules)+1, "the standard library beside them")
	require.Equal(t, "std", d.Components[0].Name)
	refs := map[string]bool{d.Metadata.Component.Ref: true}
	for i, m := range modules {
		c := d.Components[i+1]
		require.Equal(t, []string{m[1], m[2]}, []string{c.Name, c.Version})
		require.Equal(t, "pkg:golang/"+m[1]+"@"+m[2], c.URL)
		require.True(t, strings.HasPrefix(c.Properties[0].Value, "h1:"))
		require.False(t, refs[c.Ref], "a reference is unique")
		refs[c.Ref] = true
	}
	require.Len(t, d.Dependencies[0].On, len(d.Components))
	_, err = bill("sbom.go")
	require.Error(t, err)
}

// TestWrite checks that the bill lists the replacement of a module, and that the time is that of the commit.
func TestWrite(t *testing.T) {
	info := &debug.BuildInfo{
		GoVersion: "go1.26.8", Path: command, Main: debug.Module{Path: "github.com/debertac/debertac", Version: "v1.2.3+dirty"},
		Deps:     []*debug.Module{{Path: "a", Version: "v1.0.0", Replace: &debug.Module{Path: "b", Version: "v2.0.0", Sum: "h1:x"}}},
		Settings: []debug.BuildSetting{{Key: "vcs.time", Value: "2026-01-02T03:04:05Z"}, {Key: "GOOS", Value: "linux"}, {Key: "-ldflags", Value: "-s"}},
	}
	text, err := write("debertac", info, sha256.Sum256(nil))
	require.NoError(t, err)
	var d document
	require.NoError(t, json.Unmarshal(text, &d))
	require.Equal(t, "2026-01-02T03:04:05Z", d.Metadata.Time)
	require.Equal(t, "pkg:golang/github.com/debertac/debertac@v1.2.3%2Bdirty", d.Metadata.Component.URL)
	require.Equal(t, []property{{"go:package", command}, {"go:GOOS", "linux"}}, d.Metadata.Component.Properties)
	require.Equal(t, "b", d.Components[1].Name)
	require.Equal(t, "pkg:golang/std@1.26.8", d.Components[0].URL)
}

// TestSum checks that sha256sum can read the lines.
func TestSum(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "file"), []byte("hello\n"), 0o666))
	line, err := sum(dir, "file")
	require.NoError(t, err)
	require.Equal(t, "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03  file\n", line)
}
