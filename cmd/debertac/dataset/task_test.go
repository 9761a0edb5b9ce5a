package dataset_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/rogpeppe/go-internal/txtar"
	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/cmd/debertac/dataset"
)

// unpack writes the files of an archive into a folder.
func unpack(t *testing.T, archive string) string {
	t.Helper()
	a, err := txtar.ParseFile(archive)
	require.NoError(t, err)
	folder := t.TempDir()
	for _, f := range a.Files {
		path := filepath.Join(folder, filepath.FromSlash(f.Name))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, f.Data, 0o600))
	}
	return folder
}

// TestTasks reads the files of each task.
func TestTasks(t *testing.T) {
	folder := unpack(t, "testdata/tasks.txtar")
	tried := map[string]bool{}
	for _, s := range []struct{ path, task, split, want string }{
		{"glue", "cola", "", `
			{"at":1,"text":"The book was read by \"Ann.","label":"acceptable"}
			{"at":2,"text":"Book the was read.","label":"unacceptable"}`},
		{"glue/CoLA", "cola", "validation", `{"at":1,"text":"They left.","label":"acceptable"}`},
		{"glue", "cola", "test", `{"id":"0","at":2,"text":"They left early."}`},
		{"glue", "sst2", "train", `
			{"at":2,"text":"a fine film ","label":"positive"}
			{"at":3,"text":"dull","label":"negative"}`},
		{"glue/MRPC/dev.tsv", "mrpc", "", `{"at":2,"text":"He said \"yes.","pair":"He agreed.","label":"equivalent"}`},
		{"glue", "stsb", "", `{"id":"0","at":2,"text":"A man sings.","pair":"A man is singing.","score":5}`},
		{"hub", "stsb", "test", `
			{"id":"0","at":1,"text":"a","pair":"b"}
			{"id":"1","at":2,"text":"a","pair":"b","score":2.5}`},
		{"glue", "qqp", "", `
			{"id":"7","at":2,"text":"How?","pair":"In what way?","label":"duplicate"}
			{"id":"8","at":3,"pair":"Why?","label":"not_duplicate"}
			! glue/QQP/train.tsv:4: it has 2 cells, and there are 6 columns`},
		{"glue", "mnli", "train", `
			{"id":"0","at":2,"text":"It rains.","pair":"It is wet.","label":"neutral"}
			! glue/MNLI/train.tsv:3: its label is "-": its annotators have not agreed on one`},
		{"glue", "mnli", "validation", `{"id":"0","at":2,"text":"It rains.","pair":"Rain falls.","label":"entailment"}`},
		{"glue", "mnli", "validation_mismatched", `{"id":"0","at":2,"text":"It rains.","pair":"The sun shines.","label":"contradiction"}`},
		{"hub", "mnli", "validation", `
			{"id":"5","at":1,"text":"It rains.","pair":"Rain falls.","label":"entailment"}
			! hub/mnli/validation_matched.jsonl:2: the label "3" is not a class of mnli (entailment, neutral, contradiction)`},
		{"glue", "qnli", "", `
			{"id":"0","at":2,"text":"Where?","pair":"In Bonn.","label":"entailment"}
			! glue/QNLI/train.tsv:3: the label "no_entailment" is not a class of qnli (entailment, not_entailment)`},
		{"glue", "rte", "", `{"id":"0","at":2,"text":"It rains.","pair":"Rain falls.","label":"entailment"}`},
		{"hub", "rte", "", `
			{"id":"0","at":1,"text":"a","pair":"b","label":"not_entailment"}
			{"id":"1","at":2,"text":"a","pair":"b"}
			! hub/rte/train.jsonl:3: there are no texts of rte: premise and hypothesis, or sentence1 and sentence2 (there are: premise, label)`},
		{"glue", "wnli", "", `{"id":"0","at":2,"text":"Ann met Eva when she came.","pair":"Eva came.","label":"entailment"}`},
		{"glue", "ax", "test", `{"id":"0","at":2,"text":"The cat sat.","pair":"The cat did not sit."}`},
		{"super", "boolq", "", `{"id":"0","at":1,"text":"is it wet","pair":"Rain -- Rain is wet.","label":"True"}`},
		{"super", "cb", "validation", `
			{"id":"3","at":1,"text":"He hopes it rains.","pair":"it rains","label":"neutral"}
			! super/CB/val.jsonl:2: the label "maybe" is not a class of cb (entailment, contradiction, neutral)`},
		{"super", "copa", "", `
			{"id":"0","at":1,"label":"0","question":"What was the cause of this?","context":"The street got wet.","options":["It rained.","The sun set."]}
			{"id":"1","at":2,"question":"What happened as a result?","context":"It rained.","options":["a","b"]}
			! super/COPA/train.jsonl:3: the question is "why", it must be cause or effect`},
		{"super", "multirc", "", `
			{"id":"4-7-1","at":1,"text":"Ann and Eva left.","pair":"Who left? Ann","label":"True","group":"4-7","candidate":"Ann"}
			{"id":"4-7-2","at":1,"text":"Ann and Eva left.","pair":"Who left? Bob","label":"False","group":"4-7","candidate":"Bob"}
			! super/MultiRC/train.jsonl:1: question 2, answer 1: there is no "text"`},
		{"hub", "multirc", "", `{"id":"4-7-1","at":1,"text":"Ann and Eva left.","pair":"Who left? Ann","label":"True","group":"4-7","candidate":"Ann"}`},
		{"super", "record", "validation", `
			{"id":"2-5-0","at":1,"text":"Zoé met Bob. Zoé left.\n@highlight\nA visit","pair":"Zoé met Zoé","label":"False","group":"2-5",` +
			`"answers":[{"text":"Bob","start":-1}],"answered":true,"candidate":"Zoé"}
			{"id":"2-5-1","at":1,"text":"Zoé met Bob. Zoé left.\n@highlight\nA visit","pair":"Bob met Zoé","label":"True","group":"2-5",` +
			`"answers":[{"text":"Bob","start":-1}],"answered":true,"candidate":"Bob"}
			{"id":"2-6-0","at":1,"text":"Zoé met Bob. Zoé left.\n@highlight\nA visit","pair":"Bob met Zoé","group":"2-6","candidate":"Zoé"}
			{"id":"2-6-1","at":1,"text":"Zoé met Bob. Zoé left.\n@highlight\nA visit","pair":"Bob met Bob","group":"2-6","candidate":"Bob"}
			! super/ReCoRD/val.jsonl:1: query 3: the answer "Ann" is not one of the entities`},
		{"hub", "record", "validation", `
			{"id":"2-5-0","at":1,"text":"Zoé met Bob.","pair":"Bob met Zoé","label":"True","group":"2-5",` +
			`"answers":[{"text":"Bob","start":-1}],"answered":true,"candidate":"Bob"}
			{"id":"2-5-1","at":1,"text":"Zoé met Bob.","pair":"Zoé met Zoé","label":"False","group":"2-5",` +
			`"answers":[{"text":"Bob","start":-1}],"answered":true,"candidate":"Zoé"}
			! hub/record/validation.jsonl:2: the query has no @placeholder`},
		{"super", "wic", "", `
			{"id":"0","at":1,"text":"The * bank * is shut.","pair":"Çe * bank *, of the river.","label":"False"}
			! super/WiC/train.jsonl:2: the word of sentence 2 has the characters from 30 up to 34, which are not in it`},
		{"super", "wsc", "", `
			{"id":"0","at":1,"text":"* Ann * met Eva, because # she # was late.","label":"True"}
			{"id":"1","at":2,"text":"When # he # came, * the old man *, tired, slept.","label":"False"}
			! super/WSC/train.jsonl:3: span 1: "Eva" does not stand at its word: "Ann left." is there`},
		{"hub/wsc.jsonl", "wsc", "", `{"id":"0","at":1,"text":"Ann met * Eva *, because # she # was late.","label":"False"}`},
		{"glue", "mnli", "test", `
			! glue: there is no file of the split test of mnli: its name would be test or test_matched, with .tsv, .jsonl or .parquet ` +
			`(there are the splits: train, validation, validation_matched, validation_mismatched)`},
		{"glue/RTE/train.tsv", "rte", "train", `{"id":"0","at":2,"text":"It rains.","pair":"Rain falls.","label":"entailment"}`},
		{"glue/RTE/train.tsv", "rte", "test", `! debertac: --split test: train.tsv is the split train by its name`},
		{"glue/RTE/train.tsv", "rte", "dev", `! debertac: --split dev: train.tsv is the split train by its name`},
		{"hub/wsc.jsonl", "wsc", "test", `
			! debertac: --split test chooses among the files of a folder, and wsc.jsonl is one file, which is read as a whole`},
		{"glue/RTE/train.tsv", "qqp", "", `
			! train.tsv: it has no columns with the texts of qqp: question1 and question2 (its columns: index, sentence1, sentence2, label)`},
		{"glue/RTE", "xnli", "", `! debertac: --dataset xnli: it must be one of ` + strings.Join(dataset.TaskNames(), ", ")},
		{"glue/RTE", "rte", "dev", `
			! debertac: --split dev: it must be train, validation or test, and of mnli also validation_mismatched or test_mismatched ` +
			`(in RTE there are the splits: train)`},
		{"glue/RTE", "", "", `! RTE: this is a folder: name its files, or with --dataset the task that it holds; --format race reads a folder of articles`},
	} {
		tried[s.task] = true
		got := strings.Join(read(t, filepath.Join(folder, filepath.FromSlash(s.path)), dataset.Options{Task: s.task, Split: s.split}), "\n")
		got = strings.ReplaceAll(got, filepath.Dir(folder)+string(filepath.Separator), "")
		got = strings.ReplaceAll(filepath.ToSlash(got), filepath.Base(folder)+"/", "")
		require.Equal(t, strings.TrimSpace(strings.ReplaceAll(s.want, "\t", "")), got, "%s %s %s", s.path, s.task, s.split)
	}
	for _, task := range dataset.Tasks() {
		require.True(t, tried[task.Name] || task.Name == "axb" || task.Name == "axg", task.Name)
	}
}

// TestShards reads a split that is several files, and reports one that is missing.
func TestShards(t *testing.T) {
	type row struct {
		Sentence string `parquet:"sentence"`
		Label    int64  `parquet:"label"`
		Idx      int32  `parquet:"idx"`
	}
	folder := filepath.Join(t.TempDir(), "sst")
	require.NoError(t, os.Mkdir(folder, 0o700))
	path := func(name string) string { return filepath.Join(folder, name) }
	require.NoError(t, parquet.WriteFile(path("train-00000-of-00002.parquet"), []row{{"a", 1, 0}, {"b", 0, 1}}))
	require.NoError(t, parquet.WriteFile(path("train-00001-of-00002.parquet"), []row{{"c", -1, 2}, {"d", 7, 3}}))
	require.NoError(t, parquet.WriteFile(path("validation-00001-of-00002.parquet"), []row{{"c", 1, 2}}))
	require.NoError(t, os.WriteFile(path("test.tsv"), nil, 0o600))
	require.NoError(t, os.WriteFile(path("test.jsonl"), nil, 0o600))
	clean := func(split string, need ...string) string {
		return strings.Join(read(t, folder, dataset.Options{Task: "sst2", Split: split, Need: need}), "\n")
	}
	require.Equal(t, `{"id":"0","at":1,"text":"a","label":"positive"}
{"id":"1","at":2,"text":"b","label":"negative"}
! sst/train-00001-of-00002.parquet: row 1: it has no label
! sst/train-00001-of-00002.parquet: row 2: the label "7" is not a class of sst2 (negative, positive)`, clean("train", "label"))
	require.Equal(t, `! sst: the file with the number 00000 of 00002 is missing (there are: validation-00001-of-00002.parquet)`, clean("validation"))
	require.Equal(t, `! sst: several files are the same split: test.jsonl, test.tsv: name one of them`, clean("test"))
}

// TestStructures reads the rows of tasks whose columns on the hub are structures and lists.
func TestStructures(t *testing.T) {
	type multirc struct {
		Paragraph string `parquet:"paragraph"`
		Question  string `parquet:"question"`
		Answer    string `parquet:"answer"`
		Idx       struct {
			Paragraph int32 `parquet:"paragraph"`
			Question  int32 `parquet:"question"`
			Answer    int32 `parquet:"answer"`
		} `parquet:"idx"`
		Label int64 `parquet:"label"`
	}
	row := multirc{Paragraph: "Ann left.", Question: "Who?", Answer: "Ann", Label: 1}
	row.Idx.Paragraph, row.Idx.Question, row.Idx.Answer = 4, 7, 1
	path := filepath.Join(t.TempDir(), "train.parquet")
	require.NoError(t, parquet.WriteFile(path, []multirc{row}))
	require.Equal(t, []string{`{"id":"4-7-1","at":1,"text":"Ann left.","pair":"Who? Ann","label":"True","group":"4-7","candidate":"Ann"}`},
		read(t, filepath.Dir(path), dataset.Options{Task: "multirc"}))

	type record struct {
		Passage  string   `parquet:"passage"`
		Query    string   `parquet:"query"`
		Entities []string `parquet:"entities,list"`
		Answers  []string `parquet:"answers,list"`
		Idx      struct {
			Passage int32 `parquet:"passage"`
			Query   int32 `parquet:"query"`
		} `parquet:"idx"`
	}
	path = filepath.Join(t.TempDir(), "a.parquet")
	require.NoError(t, parquet.WriteFile(path, []record{
		{Passage: "Ann met Bob.", Query: "@placeholder met Bob", Entities: []string{"Ann"}, Answers: []string{"Ann"}},
		{Passage: "Ann met Bob.", Query: "@placeholder met Bob", Entities: nil, Answers: nil},
	}))
	require.Equal(t, []string{
		`{"id":"0-0-0","at":1,"text":"Ann met Bob.","pair":"Ann met Bob","label":"True","group":"0-0","answers":[{"text":"Ann","start":-1}],` +
			`"answered":true,"candidate":"Ann"}`,
		`! a.parquet: row 2: there are no entities to choose from`,
	}, read(t, path, dataset.Options{Task: "record"}))
}

// TestArticles reads a folder of RACE.
func TestArticles(t *testing.T) {
	folder := t.TempDir()
	for _, name := range []string{"middle/2.txt", "high/1.txt", "high/.x.txt"} {
		path := filepath.Join(folder, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		text := `{"answers":["B"],"options":[["x","y"]],"questions":["Q"],"article":"A","id":"` + name + `"}`
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	require.Equal(t, []string{
		`{"id":"high/1.txt-0","at":1,"label":"1","question":"Q","context":"A","options":["x","y"]}`,
		`{"id":"middle/2.txt-0","at":1,"label":"1","question":"Q","context":"A","options":["x","y"]}`,
	}, read(t, folder, dataset.Options{Format: "race"}))
	empty := t.TempDir()
	require.Equal(t, []string{"! " + filepath.Base(empty) + ": there are no articles in it: files with the ending .txt or .json"},
		read(t, empty, dataset.Options{Format: "race"}))
}
