//go:build unix

package main

import (
	"bytes"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/cmd/debertac/cache"
	"github.com/debertac/debertac/runtime/runfolder"
)

// killsEnv is an environment variable with the number of kills of TestKills.
const killsEnv = "DEBERTAC_KILLS"

// TestKills kills trainings at random moments, with all their processes, and goes on with them. In the end a run has the bits of one that was not killed, and
// what a checkpoint holds is never lost.
func TestKills(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds programs")
	}
	kills := 10
	if text := os.Getenv(killsEnv); text != "" {
		var err error
		kills, err = strconv.Atoi(text)
		require.NoError(t, err)
	}
	h := newHarm(t)
	dir, command, begin := h.dir, h.command, h.begin
	output, err := command(begin("whole")...).CombinedOutput()
	require.NoError(t, err, "%s", output)
	took := time.Now()
	output, err = command(begin("again")...).CombinedOutput() // with all programs in the cache
	require.NoError(t, err, "%s", output)
	span := time.Since(took)

	random := rand.New(rand.NewPCG(1, uint64(kills)))
	last := 0
	for n, run := 0, 0; n < kills; run++ {
		name := "run" + strconv.Itoa(run)
		last = 0
		for {
			args := []string{name, "--resume"}
			if is, err := runfolder.Is(filepath.Join(dir, name)); err == nil && !is {
				args = begin(name)
			}
			cmd := command(args...)
			var text bytes.Buffer
			cmd.Stdout, cmd.Stderr = &text, &text
			require.NoError(t, cmd.Start())
			after := time.Duration(random.Float64() * float64(span))
			if n >= kills {
				after = time.Hour
			}
			timer := time.AfterFunc(after, func() {
				_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // of a group that has ended there is nothing to kill
			})
			err := cmd.Wait()
			stopped := !timer.Stop()
			if f, opening := runfolder.Open(filepath.Join(dir, name)); opening == nil {
				if c, finding := f.Find("last"); finding == nil {
					require.GreaterOrEqual(t, c.Step, last, "a checkpoint is lost")
					last = c.Step
				}
			}
			if err == nil {
				break
			}
			require.True(t, stopped, "%s", text.String())
			n++
		}
		compareRuns(t, filepath.Join(dir, "whole"), filepath.Join(dir, name))
	}
	t.Logf("%d kills; a whole run takes %v", kills, span)
}

// TestStopped stops a training by SIGTERM and by Ctrl-C: it writes a checkpoint of all steps that are done, and its exit code names the signal.
func TestStopped(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds programs")
	}
	h := newHarm(t)
	for s, code := range map[syscall.Signal]int{syscall.SIGTERM: 143, syscall.SIGINT: 130} {
		name := "run" + strconv.Itoa(int(s))
		args := h.begin(name)
		args[2], args[len(args)-1] = "long", "100000"
		cmd := h.command(args...)
		var text bytes.Buffer
		cmd.Stdout, cmd.Stderr = &text, &text
		require.NoError(t, cmd.Start())
		var lines []runfolder.Line
		for len(lines) < 20 {
			time.Sleep(20 * time.Millisecond)
			if f, err := runfolder.Open(filepath.Join(h.dir, name)); err == nil {
				lines, err = f.Metrics()
				require.NoError(t, err)
			}
		}
		require.NoError(t, syscall.Kill(cmd.Process.Pid, s))
		var exit *exec.ExitError
		require.ErrorAs(t, cmd.Wait(), &exit, "%s", text.String())
		require.Equal(t, code, exit.ExitCode(), "%s", text.String())
		f, err := runfolder.Open(filepath.Join(h.dir, name))
		require.NoError(t, err)
		c, err := f.Find("last")
		require.NoError(t, err)
		lines, err = f.Metrics()
		require.NoError(t, err)
		require.Equal(t, lines[len(lines)-1].Step, c.Step)
		require.Contains(t, text.String(), "--resume goes on")
	}
}

// TestTwoBegin begins two trainings with different seeds in one folder at once: one of them trains, and the folder is all its own.
func TestTwoBegin(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds programs")
	}
	h := newHarm(t)
	output, err := h.command(append(h.begin("alone"), "--seed", "1")...).CombinedOutput() // the programs are in the cache from now on
	require.NoError(t, err, "%s", output)
	for range 4 {
		var both [2]*exec.Cmd
		var text [2]bytes.Buffer
		for i := range both {
			both[i] = h.command(append(h.begin("both"), "--seed", strconv.Itoa(i+1))...)
			both[i].Stdout, both[i].Stderr = &text[i], &text[i]
			require.NoError(t, both[i].Start())
		}
		done := -1
		for i, cmd := range both {
			if cmd.Wait() == nil {
				require.Equal(t, -1, done, "both have trained in one folder")
				done = i
				continue
			}
			require.Regexp(t, "holds a run already|another process begins a run", text[i].String())
		}
		require.GreaterOrEqual(t, done, 0, "%s%s", text[0].String(), text[1].String())
		f, err := runfolder.Open(filepath.Join(h.dir, "both"))
		require.NoError(t, err)
		require.Equal(t, uint64(done+1), f.Run.Seed)
		if done == 0 {
			compareRuns(t, filepath.Join(h.dir, "alone"), filepath.Join(h.dir, "both"))
		}
		require.NoError(t, os.RemoveAll(filepath.Join(h.dir, "both")))
	}
}

// harm is a folder with a spec and data for trainings that are interrupted.
type harm struct {
	t                     *testing.T
	dir, store, tokenizer string
}

// newHarm makes the folder.
func newHarm(t *testing.T) *harm {
	tokenizer, err := filepath.Abs(filepath.Join("..", "..", "examples", "spam", "model", "spm.model"))
	require.NoError(t, err)
	h := &harm{t, t.TempDir(), t.TempDir(), tokenizer}
	var data bytes.Buffer
	for i := range 40 {
		label := []string{"ham", "spam"}[i%2]
		data.WriteString(`{"text": "you won prize number ` + strconv.Itoa(i) + `", "label": "` + label + `"}` + "\n")
	}
	require.NoError(t, os.WriteFile(filepath.Join(h.dir, "m.dspec"), []byte(killed), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(h.dir, "train.jsonl"), data.Bytes(), 0o600))
	return h
}

// command returns a command debertac train in a group of processes of its own.
func (h *harm) command(args ...string) *exec.Cmd {
	cmd := exec.CommandContext(h.t.Context(), os.Args[0], append([]string{"train"}, args...)...)
	cmd.Dir, cmd.Env = h.dir, append(os.Environ(), asProgram+"=1", cache.Env+"="+h.store)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return cmd
}

// begin returns the arguments of a new run.
func (h *harm) begin(out string) []string {
	return []string{"m.dspec", "--train", "tune", "--tokenizer", h.tokenizer, "--data", "train.jsonl", "--keep", "3", "-o", out, "--save-every", "4"}
}

// killed is a spec whose trainings are killed.
const killed = `dspec 1
model mails like deberta_v3_base { dim vocab = 8064; dim hidden = 32; dim heads = 2; dim inner = 64; dim layers = 1; dim span = 8; dim seq <= 32 }
head classify on mails { take first; dropout 0.1; linear hidden; act; linear 2 as labels("ham", "spam"); loss cross_entropy }
train tune on mails.classify { batch 4 sequences in parts of 2; length 16 tokens; epochs 12; rate 1e-3 warmup 2 steps then linear }
train long on mails.classify { batch 4 sequences; length 16 tokens; epochs 10000; rate 1e-3 }
target t { isa avx2, go; emit train tune }
`

// compareRuns requires that two runs have ended with the same bits and the same metrics, apart from their speed.
func compareRuns(t *testing.T, a, b string) {
	t.Helper()
	var tensors [2][]byte
	var metrics [2][]runfolder.Line
	for i, dir := range []string{a, b} {
		f, err := runfolder.Open(dir)
		require.NoError(t, err)
		c, err := f.Find("last")
		require.NoError(t, err)
		tensors[i], err = os.ReadFile(c.Path)
		require.NoError(t, err)
		metrics[i], err = f.Metrics()
		require.NoError(t, err)
		for _, l := range metrics[i] {
			delete(l.Values, "tokens_per_s")
		}
	}
	require.True(t, bytes.Equal(tensors[0], tensors[1]), "the bits of %s and %s differ", a, b)
	require.Equal(t, metrics[0], metrics[1])
}
