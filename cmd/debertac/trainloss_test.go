package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/cmd/debertac/cache"
	"github.com/debertac/debertac/runtime/runfolder"
)

// The first step of a training with a warmup has the rate 0, so the model after it is the one whose loss the step has computed.
const trainLossSpec = `dspec 1
model m like deberta_v3_base { dim vocab = 8064; dim hidden = 32; dim heads = 2; dim inner = 64; dim layers = 1; dim span = 16; dim seq <= 64
    defaults { dropout 0 attention 0 } }
model n like m { checkpoint own }
head spans on n { take words(first); linear 32; prompt labels mark "[MASK]" end "[SEP]"; spans <= 4 markers; loss binary_cross_entropy }
head ends on n { take words(first); linear 32; prompt labels mark "[MASK]" end "[SEP]"; tokens start end inside; loss binary_cross_entropy }
head tag on m { take each; linear 3 as labels("O", "B-city", "I-city"); loss cross_entropy }
head vector on m { take mean; loss contrastive(temperature: 0.2) }
head alike on m { take mean; loss cosine_similarity }
train spans on n.spans { batch 2 sequences; length 40 tokens; epochs 2; rate 1e-3 warmup 1 steps then constant }
train ends on n.ends { batch 2 sequences; length 40 tokens; epochs 2; rate 1e-3 warmup 1 steps then constant }
train tag on m.tag { batch 2 sequences; length 40 tokens; epochs 2; rate 1e-3 warmup 1 steps then constant }
train alike on m.alike { batch 4 sequences; length 40 tokens; epochs 2; rate 1e-3 warmup 1 steps then constant }
train vector on m.vector { batch 8 sequences; length 40 tokens; epochs 2; rate 1e-3 warmup 1 steps then constant }
`

// TestTrainLoss compares the loss of evaluations with that of trainings, for the same batch and the same weights: heads that are evaluated by entities, and
// vectors. (TestEval compares the losses of other heads with recorded probabilities.)
func TestTrainLoss(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds programs")
	}
	tokenizer, err := filepath.Abs(filepath.Join("..", "..", "examples", "spam", "model"))
	require.NoError(t, err)
	entities := `{"text": "oslo is far, anna lee is in new york", "labels": ["city", "person"], "entities": [{"label": "city", "start": 0, "end": 4},
		{"label": "person", "start": 13, "end": 21}, {"label": "city", "start": 28, "end": 36}]}
		{"text": "rome, or bob?", "labels": ["city", "person"], "entities": [{"label": "city", "start": 0, "end": 4},
		{"label": "person", "start": 9, "end": 12}]}`
	for name, data := range map[string]string{
		"spans": entities, "ends": entities,
		"tag": `{"text": "oslo is far, new york is farther", "entities": [{"label": "city", "start": 0, "end": 4}, {"label": "city", "start": 13, "end": 21}]}
			{"text": "nothing here", "entities": []}`,
		"alike": `{"text": "you won", "pair": "you have won", "score": 0.9} {"text": "at nine", "pair": "see you", "score": -0.2}`,
		"vector": `{"text": "you won", "positive": "you have won", "negatives": ["see you"]}
			{"text": "at nine", "positive": "nine it is", "negatives": ["a prize", "never"]}`,
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			var lines []byte
			for d := json.NewDecoder(strings.NewReader(data)); d.More(); {
				var row json.RawMessage
				require.NoError(t, d.Decode(&row))
				text, err := json.Marshal(row) // on one line
				require.NoError(t, err)
				lines = append(append(lines, text...), '\n')
			}
			require.NoError(t, os.WriteFile(filepath.Join(dir, "m.dspec"), []byte(trainLossSpec), 0o600))
			require.NoError(t, os.WriteFile(filepath.Join(dir, "data.jsonl"), lines, 0o600))
			cmd := exec.CommandContext(t.Context(), os.Args[0], "train", "m.dspec", "--train", name, "--tokenizer", tokenizer, "--data", "data.jsonl",
				"--eval", "data.jsonl", "--max-steps", "1", "--eval-every", "1", "-o", "run")
			cmd.Dir, cmd.Env = dir, append(os.Environ(), asProgram+"=1", cache.Env+"="+t.TempDir())
			text, err := cmd.CombinedOutput()
			require.NoError(t, err, "%s", text)
			f, err := runfolder.Open(filepath.Join(dir, "run"))
			require.NoError(t, err)
			metrics, err := f.Metrics()
			require.NoError(t, err)
			values := map[string]float64{}
			for _, l := range metrics {
				require.Equal(t, 1, l.Step)
				for name, v := range l.Values {
					values[name] = v
				}
			}
			require.Zero(t, values["rate"])
			require.Positive(t, values["loss"])
			require.InEpsilon(t, values["loss"], values["eval_loss"], 1e-5)
		})
	}
}
