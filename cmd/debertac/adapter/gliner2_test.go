package adapter_test

import (
	"maps"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/cmd/debertac/adapter"
	"github.com/debertac/debertac/runtime/safetensors"
)

// TestRefusedGLiNER2 checks adapters in GLiNER2's own layout with fields or tensors that are not understood, or that do not fit.
func TestRefusedGLiNER2(t *testing.T) {
	const query = "encoder.encoder.layer.0.attention.self.query_proj"
	for want, c := range map[string]struct {
		fields  map[string]any
		tensors func(map[string]safetensors.Tensor, map[string][]float32)
	}{
		`adapter_type = "ia3": only lora is known`:       {fields: map[string]any{"adapter_type": "ia3"}},
		`adapter_version = "2.0": only 1.0 is known`:     {fields: map[string]any{"adapter_version": "2.0"}},
		"lora_r = 2.5 is not a rank":                     {fields: map[string]any{"lora_r": 2.5}},
		`lora_r = "3" is not what is expected`:           {fields: map[string]any{"lora_r": "3"}},
		"use_dora = true is not known":                   {fields: map[string]any{"use_dora": true}},
		"target_modules is missing":                      {fields: map[string]any{"target_modules": nil}},
		"target_modules = encoder.key, classifier, span": {fields: map[string]any{"target_modules": []string{"encoder.key", "classifier", "span_rep"}}},
		"its shape is [3 8], and [4 8] is expected":      {fields: map[string]any{"lora_r": 4}},
		"lacks the second matrix of this pair": {tensors: func(l map[string]safetensors.Tensor, _ map[string][]float32) {
			delete(l, query+".lora_B")
		}},
		"the adapter is of another model": {tensors: func(l map[string]safetensors.Tensor, v map[string][]float32) {
			other := strings.Replace(query, "layer.0", "layer.9", 1)
			l[other+".lora_A"], v[other+".lora_A"] = l[query+".lora_A"], v[query+".lora_A"]
		}},
		"this kind of tensor of an adapter is not known": {tensors: func(l map[string]safetensors.Tensor, v map[string][]float32) {
			l[query+".weight"], v[query+".weight"] = l[query+".lora_A"], v[query+".lora_A"]
		}},
		"its number 2 is +Inf: the file is damaged": {tensors: func(_ map[string]safetensors.Tensor, v map[string][]float32) {
			v[query+".lora_A"][2] = float32(math.Inf(1))
		}},
	} {
		t.Run(want, func(t *testing.T) {
			dir := copied(t, "gliner2")
			edit(t, filepath.Join(dir, "adapter", "adapter_config.json"), c.fields)
			if c.tensors != nil {
				tensors(t, filepath.Join(dir, "adapter", "adapter_weights.safetensors"), c.tensors)
			}
			_, err := adapter.Merge(t.Context(), filepath.Join(dir, "model"), filepath.Join(dir, "adapter"), filepath.Join(dir, "out"))
			require.ErrorContains(t, err, want)
			require.NoDirExists(t, filepath.Join(dir, "out"))
		})
	}
	dir := copied(t, "gliner2")
	require.NoError(t, os.Remove(filepath.Join(dir, "adapter", "adapter_weights.safetensors")))
	_, err := adapter.Merge(t.Context(), filepath.Join(dir, "model"), filepath.Join(dir, "adapter"), filepath.Join(dir, "out"))
	require.ErrorContains(t, err, "the folder has no adapter_weights.safetensors")
}

// TestGroupsOfGLiNER2 checks which modules the names of groups stand for: each case leaves matrices whose modules the groups name, and no others.
func TestGroupsOfGLiNER2(t *testing.T) {
	for groups, parts := range map[string][]string{
		"encoder":                               {"encoder."},
		"encoder.query":                         {"query_proj"},
		"encoder.query encoder.dense":           {"query_proj", "encoder.encoder.layer.0.output.dense", "intermediate.dense", "attention.output.dense"},
		"classification_head":                   {"classifier."},
		"extractive_head":                       {"span_rep."},
		"all_task_heads":                        {"span_rep.", "classifier."},
		"encoder.query encoder.dense span_rep ": {"span_rep.", "query_proj"},
	} {
		t.Run(groups, func(t *testing.T) {
			dir := copied(t, "gliner2")
			edit(t, filepath.Join(dir, "adapter", "adapter_config.json"), map[string]any{"target_modules": strings.Fields(groups)})
			tensors(t, filepath.Join(dir, "adapter", "adapter_weights.safetensors"), func(l map[string]safetensors.Tensor, _ map[string][]float32) {
				maps.DeleteFunc(l, func(name string, _ safetensors.Tensor) bool {
					for _, p := range parts {
						if strings.Contains(name, p) {
							return false
						}
					}
					return true
				})
				require.NotEmpty(t, l)
			})
			_, err := adapter.Merge(t.Context(), filepath.Join(dir, "model"), filepath.Join(dir, "adapter"), filepath.Join(dir, "out"))
			require.NoError(t, err)
		})
	}
}
