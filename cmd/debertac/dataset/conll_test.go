package dataset_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/cmd/debertac/dataset"
)

func TestCoNLL(t *testing.T) {
	try(t, []scenario{
		{"a.conll", "-DOCSTART- -X- O O\n\nAnn NNP I-NP B-PER\nLee NNP I-NP I-PER\nleft VBD I-VP O\n\n\n# NN O O\nBonn NNP I-NP B-LOC", dataset.Options{}, `
			{"at":3,"words":["Ann","Lee","left"],"tags":["B-PER","I-PER","O"]}
			{"at":8,"words":["#","Bonn"],"tags":["O","B-LOC"]}`},
		{"a.conll", "# id 1 domain=x\nNew York\tB-LOC\n\n# id 2\n#\tO\nx\tO\n", dataset.Options{}, `
			{"at":2,"words":["New York"],"tags":["B-LOC"]}
			{"at":5,"words":["#","x"],"tags":["O","O"]}`},
		{"a.txt", "O a\r\nB-X b\r\n\r\n", dataset.Options{Format: "conll", Words: 2, Tags: 1}, `{"at":1,"words":["a","b"],"tags":["O","B-X"]}`},
		{"a.conll", "a\nb\n", dataset.Options{}, `{"at":1,"words":["a","b"]}`},
		{"a.conll", "a NN\nb VB\n", dataset.Options{}, `{"at":1,"words":["a","b"],"tags":["NN","VB"]}`},
		{"a.conll", "a B-X\nb I-X\nc B-X\nd O\n", dataset.Options{WantScheme: "bioes"}, `{"at":1,"words":["a","b","c","d"],"tags":["B-X","E-X","S-X","O"]}`},
		{"a.conll", "a I-X\nb I-X\nc B-X\nd I-Y\n", dataset.Options{WantScheme: "bilou"}, `{"at":1,"words":["a","b","c",` +
			`"d"],"tags":["B-X","L-X","U-X","U-Y"]}`},
		{"a.conll", "a S\nb B\nc I\nd E\n", dataset.Options{WantScheme: "iob1"}, `{"at":1,"words":["a","b","c","d"],"tags":["I","B","I","I"]}`},
		{"a.conll", "a U-X\nb B-X\nc L-X\nd O\n", dataset.Options{WantScheme: "bio"}, `{"at":1,"words":["a","b","c","d"],"tags":["B-X","B-X","I-X","O"]}`},
		{"a.jsonl", `{"words":["a","b"],"tags":["B-X","I-X"]}` + "\n" + `{"words":["a","b"],"tags":["O",` +
			`"I-X"]}`, dataset.Options{WantScheme: "bioes", Scheme: "bio"}, `
			{"at":1,"words":["a","b"],"tags":["B-X","E-X"]}
			! a.jsonl:2: word 2: the tag "I-X" follows "O", which the scheme bio forbids`},
	})
}

// TestBadCoNLL checks the messages about sentences that cannot be used.
func TestBadCoNLL(t *testing.T) {
	const bio = "z B-Y\n\na O\nb I-X\nc B-X\nd I-Y\n\ne I-X\nf O\n\ng O\n"
	try(t, []scenario{
		{"a.conll", bio, dataset.Options{}, `
			{"at":1,"words":["z"],"tags":["B-Y"]}
			! a.conll:4: the tag "I-X" follows "O", which the scheme bio forbids
			! a.conll:8: the tag "I-X" follows the beginning of the sentence, which the scheme bio forbids
			{"at":11,"words":["g"],"tags":["O"]}`},
		{"a.conll", bio, dataset.Options{Repair: true}, `
			{"at":1,"words":["z"],"tags":["B-Y"]}
			{"at":3,"words":["a","b","c","d"],"tags":["O","B-X","B-X","B-Y"]}
			{"at":8,"words":["e","f"],"tags":["B-X","O"]}
			{"at":11,"words":["g"],"tags":["O"]}`},
		{"a.conll", "a B-X\nb O\n\nc E-X\n\nd B-X\n\ne I-X\nf S-X\n\ng S-X\nh Z-X\n\ni U-X\n", dataset.Options{Scheme: "bioes"}, `
			! a.conll:2: the tag "O" follows "B-X", which the scheme bioes forbids
			! a.conll:4: the tag "E-X" follows the beginning of the sentence, which the scheme bioes forbids
			! a.conll:6: the tag "B-X" is the last one, which the scheme bioes forbids
			! a.conll:8: the tag "I-X" follows the beginning of the sentence, which the scheme bioes forbids
			! a.conll:12: the tag "Z-X" is not one of the scheme bioes
			! a.conll:14: the tag "U-X" is not one of the scheme bioes`},
		{"a.conll", "a B-X\nb\nc O\n\nd\t\nf \xff O\n\ne O\n", dataset.Options{}, `
			! a.conll:2: it has 1 column, and the first line of the file has 2
			! a.conll:5: it has 1 column, and the first line of the file has 2
			{"at":8,"words":["e"],"tags":["O"]}`},
		{"a.conll", "a\tB-X\n\tO\n\nb\xff\tO\n", dataset.Options{}, `
			! a.conll:2: the word is empty
			! a.conll:4: it is not valid UTF-8: convert it first, with iconv for instance`},
		{"a.conll", "a O\n", dataset.Options{Tags: 4}, `! a.conll:1: it has 2 columns, and column 4 is asked for`},
		{"a.conll", "a NN\n", dataset.Options{WantScheme: "bio"}, `
			! a.conll:1: the tags have no prefixes, so they cannot be converted to the scheme bio`},
		{"a.conll", "a O\n", dataset.Options{Need: []string{"label"}}, `! a.conll: a file of the format conll has no label (it has: words tags)`},
		{"a.conll", "a O\n", dataset.Options{WantScheme: "x"}, `! debertac: --want-scheme x: it must be one of bio, iob1, bioes, bilou, plain`},
	})
}

// TestLayouts checks the files of questions and of GLiNER.
func TestLayouts(t *testing.T) {
	const squad = `{"version":"v2.0","data":[{"title":"A","paragraphs":[{"context":"Ünn lives in Bonn.","qas":[
		{"id":"1","question":"Where?","answers":[{"text":"Bonn","answer_start":13},{"text":"in Bonn","answer_start":10}],"is_impossible":false},
		{"id":"2","question":"Why?","answers":[],"is_impossible":true,"plausible_answers":[{"text":"x","answer_start":99}]},
		{"id":"3","question":"What?","answers":[{"text":"Bonn","answer_start":12}]},
		{"id":"4","question":"What?","answers":[{"text":"Bonn","answer_start":40}]},
		{"id":"5","question":"What?","answers":[],"is_impossible":false},
		{"id":"6","question":"What?","answers":[{"text":"Bonn","answer_start":13}],"is_impossible":true},
		{"id":"7","question":"What?"}, {"question":"What?"}, {"id":"9","question":"What?","answers":[{"text":"Bonn"}]}
		]},{"qas":[]}]},{"title":"B"}]}`
	try(t, []scenario{
		{"a.json", squad, dataset.Options{}, `
			{"id":"1","at":1,"question":"Where?","context":"Ünn lives in Bonn.","answers":[{"text":"Bonn",` +
			`"start":14},{"text":"in Bonn","start":11}],"answered":true}
			{"id":"2","at":2,"question":"Why?","context":"Ünn lives in Bonn.","answered":true}
			! a.json: question 3: 3: the answer "Bonn" does not stand at its offset: " Bon" is there
			! a.json: question 4: 4: the answer "Bonn" would begin at character 40, and the context has 18
			! a.json: question 5: 5: it has no answers, and is_impossible is false
			! a.json: question 6: 6: it has answers, and is_impossible is true
			{"id":"7","at":7,"question":"What?","context":"Ünn lives in Bonn."}
			! a.json: question 8: there is no "id"
			! a.json: question 9: 9: the answer "Bonn": there is no "answer_start"
			! a.json: article 1: paragraph 2: there is no "context"
			! a.json: article 2: there is no field "paragraphs" (there are: title)`},
		{"a.txt", `{"answers": ["B", "C", "E"], "options": [["x","y"],["u","v"],["a",` +
			`"b"]], "questions": ["One _ ?", "Two?", "3?"], "article": "Once.", "id": "h1.txt"}`,
			dataset.Options{Format: "race"}, `
			{"id":"h1.txt-0","at":1,"label":"1","question":"One _ ?","context":"Once.","options":["x","y"]}
			! a.txt: question 2: the answer is "C", it must be a letter from A to B
			! a.txt: question 3: the answer is "E", it must be a letter from A to B`},
		{"a.jsonl", `{"example_id":"h1","article":"Once.","answer":"A","question":"Q","options":["x","y"]}` + "\n" + `{"article":"Once.","question":"Q"}`,
			dataset.Options{Format: "race"}, `
			{"id":"h1","at":1,"label":"0","question":"Q","context":"Once.","options":["x","y"]}
			! a.jsonl:2: there is no field "options"`},
		{"a.json", `{"article":"Once.", "questions":["Q"],` + "\n" + `"options":[], "answers":["A"]}`, dataset.Options{}, `
			! a.json: element 1: it has 1 question, 0 lists of options and 1 answer`},
		{"a.json", `[{"tokenized_text":["Ann","Lee","left"],"ner":[[0,1,"person"],[2,2,"act"]]},{"tokenized_text":["a"],"ner":[[0,1,"x"]]},
			{"tokenized_text":["a"],"ner":[]},{"tokenized_text":["a",` +
			`"b"],"ner":[[1,0,"x"]]},{"tokenized_text":["a"],"ner":[[0,0]]},{"ner":[]}]`, dataset.Options{}, `
			{"at":1,"words":["Ann","Lee","left"],"entities":[{"label":"person","start":0,"end":2},{"label":"act","start":2,"end":3}]}
			! a.json: element 2: field "ner": element 1: it has the words from 0 to 1, and the text has 1 words, which count from 0
			{"at":3,"words":["a"]}
			! a.json: element 4: field "ner": element 1: its first word is 1, and its last word is 0
			! a.json: element 5: field "ner": element 1: it is [0,0], it must be a list of the first word, the last word and the label
			! a.json: element 6: there is no field "tokenized_text" (there are: ner)`},
		{"a.json", `["one","two"]`, dataset.Options{}, `
			{"at":1,"text":"one"}
			{"at":2,"text":"two"}`},
	})
	require.Equal(t, []string{
		`{"id":"q1","at":1,"question":"Where?","context":"Ann lives in Bonn.","answers":[{"text":"Bonn",` +
			`"start":13},{"text":"in Bonn","start":10}],"answered":true}`,
		`{"id":"q2","at":2,"question":"b?","context":"é b","answers":[{"text":"b","start":3}],"answered":true}`,
		`{"id":"q3","at":3,"question":"c?","context":"c","answered":true}`,
		`{"id":"q4","at":4,"question":"d?","context":"d"}`,
	}, read(t, "../parquetfile/testdata/nested.parquet", dataset.Options{}))
	require.Equal(t, []string{
		`! nested.parquet: there is no field "text" (there are: id, context, question, answers, parts, grid, one, map): --field text=NAME names another`,
	}, read(t, "../parquetfile/testdata/nested.parquet", dataset.Options{Read: []string{"text"}}))
}
