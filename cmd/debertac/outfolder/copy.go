// Package outfolder writes model folders: the files of another folder, and weights whose tensors are computed one by one.
package outfolder

import (
	"context"
	"io"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/runtime/disk"
)

// Weights reports whether a file of a model folder, named by its path in the folder, holds the weights of the model in some format. A copy of such a file
// beside changed weights would be another model.
func Weights(name string) bool {
	dir, base := path.Split(name)
	if slices.Contains([]string{"onnx/", "openvino/", "coreml/", "gguf/"}, dir) {
		return true
	}
	if dir != "" {
		return false
	}
	for _, ending := range []string{".safetensors", ".safetensors.index.json", ".h5", ".h5.index.json", ".msgpack", ".ot", ".onnx", ".onnx_data", ".gguf",
		".mlmodel", ".tflite"} {
		if strings.HasSuffix(base, ending) {
			return true
		}
	}
	shard := strings.HasPrefix(base, "pytorch_model-") && strings.HasSuffix(base, ".bin")
	return shard || slices.Contains([]string{"pytorch_model.bin", "pytorch_model.bin.index.json"}, base)
}

// Copy copies the files of a folder and of the folders in it for which want returns true; it is called with their paths in the folder, with slashes. Version
// control (.git) and temporary files are not copied. Links are followed.
func Copy(ctx context.Context, from, to string, want func(name string) bool) error {
	return copyDir(ctx, from, to, "", want)
}

// mostFolders bounds how deep folders lie in each other. A link to a folder above it would never end.
const mostFolders = 16

// copyDir copies the files of the folder dir below from.
func copyDir(ctx context.Context, from, to, dir string, want func(string) bool) error {
	if strings.Count(dir, "/") >= mostFolders {
		return fault.Input(filepath.Join(from, dir), "it lies in more than %d folders of the model's folder: is it in a folder that links to itself?",
			mostFolders)
	}
	entries, err := disk.ReadDir(filepath.Join(from, dir))
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		name := path.Join(dir, e.Name())
		if e.Name() == ".git" || e.Name() == ".cache" || disk.IsTemporary(e.Name()) {
			continue
		}
		source := filepath.Join(from, name)
		st, err := disk.Stat(source)
		if err != nil {
			return err
		}
		if st.IsDir() {
			if err := copyDir(ctx, from, to, name, want); err != nil {
				return err
			}
			continue
		}
		if !want(name) {
			continue
		}
		if err := copyFile(source, filepath.Join(to, name)); err != nil {
			return err
		}
	}
	return nil
}

// copyFile makes the folder for the copy, too.
func copyFile(from, to string) error {
	in, err := disk.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	if err := disk.MkdirAll(filepath.Dir(to), 0o777); err != nil {
		return err
	}
	out, err := disk.Create(to, 0o666)
	if err != nil {
		return err
	}
	defer out.Discard()
	if _, err := io.Copy(out, in); err != nil {
		return err
	}
	return out.Commit()
}
