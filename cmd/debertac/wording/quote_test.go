package wording

import (
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestIgnoring checks that a shell and the parser read the flag of a hint as the name that is meant.
func TestIgnoring(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("no bash")
	}
	for name, want := range map[string]string{
		"tokenizer_config.json:x": "--ignore tokenizer_config.json:x", "a file.json": "--ignore 'a file.json'", "-x.json": "--ignore=-x.json",
		"-x y": "--ignore='-x y'",
		"it's": `--ignore 'it'\''s'`, "": "--ignore ''", "a\nb\x01'\\": `--ignore $'a\012b\001\'\\'`, "[MASK]": "--ignore '[MASK]'",
		"ü\u0085": `--ignore $'ü\302\205'`, "a\r": `--ignore $'a\015'`,
	} {
		require.Equal(t, want, Ignoring(name))
		out, err := exec.Command(bash, "-c", "printf '%s|' "+Ignoring(name)).Output()
		require.NoError(t, err)
		if name != "" && name[0] == '-' {
			require.Equal(t, "--ignore="+name+"|", string(out))
		} else {
			require.Equal(t, "--ignore|"+name+"|", string(out))
		}
	}
}
