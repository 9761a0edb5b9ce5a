package spec_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/spec"
	"github.com/debertac/debertac/spec/diag"
	"github.com/debertac/debertac/spec/zoo"
)

// The exact parameter counts of the published models, without pooler and heads, computed from the tensors' shapes.
var published = map[string]int64{
	"deberta_base":       138_601_728,
	"deberta_large":      405_163_008,
	"deberta_xlarge":     757_804_032,
	"deberta_v2_xlarge":  884_593_152,
	"deberta_v2_xxlarge": 1_564_549_632,
	"deberta_v3_xsmall":  70_682_112,
	"deberta_v3_small":   141_304_320,
	"deberta_v3_base":    183_831_552,
	"deberta_v3_large":   434_012_160,
	"mdeberta_v3_base":   278_218_752,
	"gliner2_base":       183_763_200,
	"gliner2_large":      433_921_024,
	"gliner2_multi":      277_536_768,
	"gliner25_small":     70_647_936,
	"gliner25_base":      183_763_200,
	"gliner25_multi":     277_536_768,
	"gliclass_small":     141_229_824,
	"gliclass_base":      183_757_056,
	"gliclass_large":     433_912_832,
	"bert_base":          108_891_648,
	"bert_large":         334_092_288,
	"roberta_base":       124_055_040,
	"roberta_large":      354_310_144,
}

func TestParamsOfPublishedModels(t *testing.T) {
	for name, want := range published {
		m := spec.ZooModel(name)
		require.NotNil(t, m, name)
		require.Equal(t, want, spec.Params(m), name)
	}
}

// TestParamsOfAblations checks that each ablation changes what its name stands for and nothing else, by the number of parameters.
func TestParamsOfAblations(t *testing.T) {
	base := published["deberta_v3_base"]
	v1 := published["deberta_base"]
	const square = 768 * 768
	for name, want := range map[string]int64{
		"no_p2c": base, "no_c2p": base, "with_p2p": base, "paper_sign": base,
		"t5_bias":         base - 512*768 - 2*768 + 12*512*12, // no table and no norm of it; a [512, 12] table per layer
		"own_projections": base + 12*2*(square+768),
		"linear_offsets":  base + 512*768,
		"no_table_norm":   base - 2*768,
		"no_emd":          v1,
		"input_absolute":  v1 + 512*768,
		"talking_heads":   v1 + 12*2*12*12,
	} {
		m := spec.ZooModel(name)
		require.NotNil(t, m, name)
		require.Equal(t, want, spec.Params(m), name)
	}
}

func TestZooFiles(t *testing.T) {
	for _, name := range zoo.Files() {
		f, faults := spec.Parse(name, zoo.Text(name))
		require.Empty(t, diag.Render(faults, f.Sources(), diag.Style{}))
		_, faults = spec.Resolve(f)
		require.Empty(t, diag.Render(faults, f.Sources(), diag.Style{}))
		text, ok := spec.Format(f)
		require.True(t, ok)
		if os.Getenv("UPDATE") == "1" {
			require.NoError(t, os.WriteFile(filepath.Join("zoo", strings.TrimPrefix(name, "zoo/")), text, 0o644))
			continue
		}
		require.Equal(t, string(text), string(zoo.Text(name)), "%s is not in canonical layout", name)
	}
	require.Nil(t, zoo.Text("deberta.dspec"))
	require.Nil(t, zoo.Text("zoo/none.dspec"))
	require.Nil(t, spec.ZooModel("none"))
	require.Len(t, spec.Zoo(), 23+11)
}
