package debertac_test

import (
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestExampleModule checks that the go.mod of the example requires everything that debertac's command needs. Otherwise `go generate` fails there.
func TestExampleModule(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("no Go toolchain")
	}
	for _, path := range []string{"go.mod", "examples/embed/go.mod", "examples/embed/go.sum"} {
		_, err := os.ReadFile(path) // reading it makes go test run this test again when the file changes
		require.NoError(t, err)
	}
	text, err := exec.CommandContext(t.Context(), "go", "-C", "examples/embed", "list", "-mod=readonly", "-deps", module+"/cmd/debertac").CombinedOutput()
	require.NoError(t, err, "run go mod tidy in a copy of examples/embed that has its package spam\n%s", text)
}
