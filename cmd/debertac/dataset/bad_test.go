package dataset_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/cmd/debertac/dataset"
)

// TestBadObjects checks the messages about lines and elements that cannot be used, and that what follows them is read.
func TestBadObjects(t *testing.T) {
	try(t, []scenario{
		{"a.jsonl", "{\"text\":\"a\"\n[1]\n{\"text\":\"\xff\"}\n{\"text\":\"a\",\"x\":1,\"x\":2}\n{\"text\":NaN}\n" +
			"{\"text\":\"a\",\"te\\u0078t\":\"b\"}\n{\"text\":\"a\"} {}\n{\"text\":\"\\ud800\"}\n" +
			"{\"text\":\"a\\x\"}\n{\"text\":\"a\tb\"}\n{\"text\":01}\n{\"text\":\"ok\"}\n", dataset.Options{}, `
			! a.jsonl:1: it is not JSON: it ends inside a value at byte 12
			! a.jsonl:2: it is [1], it must be a JSON object such as {"text": "…"}
			! a.jsonl:3: it is not valid UTF-8: convert it first, with iconv for instance
			! a.jsonl:4: the field "x" stands twice
			! a.jsonl:5: it is not JSON: there is a number that is not finite, which JSON does not have, at byte 12
			! a.jsonl:6: the field "text" stands twice
			! a.jsonl:7: it is not JSON: there is '{' after the object at byte 14
			! a.jsonl:8: field "text": it has \ud800, half of a character that takes two such escapes
			! a.jsonl:9: it is not JSON: there is an unknown escape ("\\x") in a string at byte 11
			! a.jsonl:10: it is not JSON: there is a control character (0x09) in a string at byte 11
			! a.jsonl:11: it is not JSON: there is a number that begins with 0 at byte 11
			{"at":12,"text":"ok"}`},
		{"a.jsonl", `{"sentence":"a","label":1}
			{"text":3}
			{"text":"a","label":""}
			{"text":"a","label":{"a":1}}
			{"text":"a","score":"NaN"}
			{"text":"a","score":1e999}
			{"text":"a","labels":"x"}
			{"text":"a","labels":["x",null]}
			{"text":"a","words":["b"]}
			{"words":["b","c"],"tags":["O"]}
			{"tags":["O"],"text":"a"}
			{"query":"q","documents":["a"],"scores":[1,2]}
			{"chosen":"a"}
			{"chosen":"a","rejected":"b","documents":["a"]}`, dataset.Options{}, `
			! a.jsonl:1: there is no field "text" (there are: sentence, label): --field text=NAME names another
			! a.jsonl:2: field "text": it is 3, it must be a string
			! a.jsonl:3: field "label": it is empty, it must be the name or number of a class
			! a.jsonl:4: field "label": it is {"a":1}, it must be a string or a number
			! a.jsonl:5: field "score": it is "NaN", it must be a finite number
			! a.jsonl:6: field "score": it is 1e999, it must be a finite number
			! a.jsonl:7: field "labels": it is "x", it must be a list
			! a.jsonl:8: field "labels": element 2 is null
			! a.jsonl:9: there are both a text and words: leave one of them out
			! a.jsonl:10: there are 2 words and 1 tags: there must be one tag for each word
			! a.jsonl:11: there are tags, but no words
			! a.jsonl:12: there are 1 documents and 2 scores: there must be one score for each document
			! a.jsonl:13: there is only one of a chosen and a rejected answer (there are: chosen)
			! a.jsonl:14: there are documents, and a chosen and a rejected answer: leave one of them out (there are: chosen, rejected, documents)`},
		{"a.jsonl", `{"text":"a"}
			{"text":"a","label":"x","gold":null}
			{"text":"a","gold":"x"}
			{"gold":"x"}`, dataset.Options{Fields: map[string]string{"label": "gold"}, Need: []string{"text|words", "label"}}, `
			! a.jsonl:1: there is no field "gold", which --field label names (there are: text)
			! a.jsonl:2: there is no field "gold", which --field label names (there are: text, label, gold)
			{"at":3,"text":"a","label":"x"}
			! a.jsonl:4: there is no field "text" or "words" (there are: gold): --field text=NAME names another`},
		{"a.jsonl", `{"text":"abc","entities":[{"label":"X","start":0,"end":1,"label":"Y"}]}
			{"question":"q","context":"abc","answers":{"text":["a"],"answer_start":[0],"te\u0078t":["b"]}}
			{"text":"a","x":{"a":{"a":[{"a":1},{"a":1}]},"b":{}}}
			{"text":"a","x":[[{"a":1,"b":2,"c":3,"d":4,"e":5,"f":6,"g":7,"h":8,"i":9,"j":0,"k":1,"l":2,"m":3,"n":4,"o":5,"p":6,"q":7,"r":8,"q":9}]]}`,
			dataset.Options{}, `
			! a.jsonl:1: the field "label" stands twice in an object
			! a.jsonl:2: the field "text" stands twice in an object
			{"at":3,"text":"a"}
			! a.jsonl:4: the field "q" stands twice in an object`},
		{"a.json", `{"data":[{"paragraphs":[{"context":"abc","context":"b","qas":[]}]}]}`, dataset.Options{Format: "squad"}, `
			! a.json: article 1: the field "context" stands twice in an object`},
		{"a.json", `{"data":[{"text":"a"}],"data":[{"text":"b"}]}`, dataset.Options{Format: "json"}, `
			{"at":1,"text":"a"}
			! a.json: the field "data" stands twice, in line 1 too`},
		{"a.json", `{"data":[{"text":"a"}],"x":"data","y":["data","data"]}`, dataset.Options{Format: "json"}, `
			{"at":1,"text":"a"}`},
		{"a.json", `[{"text":"a"},3,{"text":"b",},{"text":"c"}] x`, dataset.Options{}, `
			{"at":1,"text":"a"}
			! a.json: element 2: it is 3, it must be a JSON object such as {"text": "…"}
			! a.json: element 3: it is not JSON: a name in quotes is expected at byte 13
			{"at":4,"text":"c"}
			! a.json: something follows the end of the list, in line 1: 'x'`},
		{"a.json", `[{"text":"a"} {"text":"c"}]`, dataset.Options{}, `
			{"at":1,"text":"a"}
			! a.json: it is not JSON after element 1, in line 1: a "," or "]" is expected, and '{' is there`},
		{"a.json", `[{"text":"a"},` + "\n" + `{"text":"b`, dataset.Options{}, `
			{"at":1,"text":"a"}
			! a.json: it is not JSON after element 1, in line 2: it ends inside a JSON value: is the file cut short?`},
		{"a.json", "{\"rows\":[\n{\"text\":\"a\"}]}", dataset.Options{Format: "json"}, `
			! a.json: the object has no field "data" with a list of rows`},
	})
}

// TestOtherRoles checks that the error for a file without what a task reads names that, and not a field that the file has.
func TestOtherRoles(t *testing.T) {
	o := dataset.Options{Read: []string{"id", "question", "context", "answers"}}
	got := read(t, write(t, "a.jsonl", `{"text":"x","labels":["y"]}`), o)
	require.Equal(t, []string{`! a.jsonl:1: there is no field "question" (there are: text, labels): --field question=NAME names another`}, got)
}

// TestBadTables checks the messages about rows of tables.
func TestBadTables(t *testing.T) {
	try(t, []scenario{
		{"a.csv", "text,label\na\nb,1,2\n\"c\" d,1\ne \"f\",1\n\"g,1\nh,1\ni,\xff\nj,1\n", dataset.Options{}, `
			! a.csv:2: it has 1 cell, and there are 2 columns
			! a.csv:3: it has 3 cells, and there are 2 columns
			! a.csv:4: there is text after the quote that ends a cell
			! a.csv:5: there is a quote inside a cell that does not begin with one
			! a.csv:6: a quote is not closed
			{"at":7,"text":"h","label":"1"}
			! a.csv:8: it is not valid UTF-8: convert it first, with iconv for instance
			{"at":9,"text":"j","label":"1"}`},
		{"a.csv", "text,label\n\"a,1\nb,2\n\"c\",3\nd,4", dataset.Options{}, `
			! a.csv:2: a quote is not closed
			{"at":3,"text":"b","label":"2"}
			{"at":4,"text":"c","label":"3"}
			{"at":5,"text":"d","label":"4"}`},
		{"a.csv", "sentence,label\na,1\n", dataset.Options{}, `
			! a.csv: there is no field "text" (there are: sentence, label): --field text=NAME names another`},
		{"a.csv", "text,text\na,1\n", dataset.Options{}, `! a.csv: two columns are named "text" (its columns: text, text)`},
		{"a.csv", "text,label\na,\n", dataset.Options{Need: []string{"label"}}, `
			! a.csv:2: there is no field "label" (there are: text, label): --field label=NAME names another`},
		{"a.csv", "text,label\n", dataset.Options{}, `! a.csv: there are no examples in it (read as csv)`},
		{"a.csv", "text,label\ra,1\r", dataset.Options{}, `! a.csv: its lines end in CR alone: convert it first, with tr '\r' '\n' for instance`},
		{"a.csv", "text,score\na,NaN\nb,inf\nc,0x1p3\nd,1_0\ne, 2 \n", dataset.Options{}, `
			! a.csv:2: field "score": it is "NaN", it must be a finite number
			! a.csv:3: field "score": it is "inf", it must be a finite number
			! a.csv:4: field "score": it is "0x1p3", it must be a finite number
			! a.csv:5: field "score": it is "1_0", it must be a finite number
			{"at":6,"text":"e","score":2}`},
		{"a.tsv", "text\tlabel\n\"a\tx\n", dataset.Options{}, `
			! a.tsv:2: a quote is not closed (--format tsv-plain takes quotes for characters like any others)`},
	})
}

// TestBadFiles checks the messages about files.
func TestBadFiles(t *testing.T) {
	try(t, []scenario{
		{"a.txt", "", dataset.Options{}, `! a.txt: the file is empty`},
		{"a.txt", "\xef\xbb\xbf", dataset.Options{}, `! a.txt: the file is empty, but for a byte order mark`},
		{"a.txt", " \n\n", dataset.Options{}, `! a.txt: there are no examples in it (read as lines)`},
		{"a.json", "[]", dataset.Options{}, `! a.json: there are no examples in it (read as json)`},
		{"a.txt", "a\rb\r", dataset.Options{}, `! a.txt: its lines end in CR alone: convert it first, with tr '\r' '\n' for instance`},
		{"a.txt", "\xff\xfea\x00", dataset.Options{}, `! a.txt: it is UTF-16: convert it first, with iconv -f UTF-16 -t UTF-8`},
		{"a.txt", "a\n\xff\nb", dataset.Options{Format: "documents"}, `! a.txt:2: it is not valid UTF-8: convert it first, with iconv for instance`},
		{"a.dat", "a\n", dataset.Options{}, `! a.dat: its extension ".dat" is not known ` +
			`(known: .jsonl .ndjson .json .csv .tsv .tab .txt .text .parquet .conll .bio .iob .iob2; .gz and .zst after them)`},
		{"a.txt", "a\n", dataset.Options{Format: "xml"}, `
			! debertac: --format xml: it must be one of jsonl, json, csv, tsv, tsv-plain, lines, documents, parquet, conll, squad, race, gliner`},
		{"a.txt.gz", "a\n", dataset.Options{}, `! a.txt.gz: its name ends in .gz, but it is not a gzip file`},
	})
}
