package hf

import "strings"

// Inputs is a file of a model folder, with the effect of each of its fields.
type Inputs struct {
	File   string // as the documentation names it
	Fields []Row
}

// Files lists the effects of the files and folders of a model folder, by name or by a pattern of path.Match. The first row that a name matches counts.
func Files() []Row {
	rows := flatten("", fileTable)
	for i := range rows {
		rows[i].File, rows[i].Field = rows[i].Field, ""
	}
	return append(rows, Row{File: folderRow.names, Effect: folderRow.effect, Why: folderRow.why})
}

// Fields lists the effects of the fields of each JSON file.
func Fields() []Inputs {
	var list []Inputs
	for _, t := range []struct {
		file  string
		table []group
	}{
		{"config.json", configTable}, {gliclassFile, gliclassTable}, {gliner2File, gliner2Table}, {boundaryFile, boundaryTable},
		{boundaryHeadFile, boundaryHeadTable},
		{"gliner_config.json", glinerTable}, {"tokenizer_config.json", tokenizerTable}, {"special_tokens_map.json", specialTable},
		{"sentence_bert_config.json", transformerTable}, {"config_sentence_transformers.json", sentenceTable}, {"modules.json", moduleTable},
		{"1_Pooling/config.json", poolingTable}, {"2_Normalize/config.json", normalizeTable}, {"generation_config.json", generationTable},
	} {
		list = append(list, Inputs{t.file, flatten(t.file, t.table)})
	}
	return list
}

// flatten returns one row per name of a table.
func flatten(file string, table []group) []Row {
	var rows []Row
	for _, g := range table {
		for _, name := range strings.Fields(g.names) {
			rows = append(rows, Row{file, name, g.effect, g.why, g.values})
		}
	}
	return rows
}
