package folder

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/cmd/debertac/wording"
	"github.com/debertac/debertac/runtime/runfolder"
)

// repository matches the name of a model on the Hub.
var repository = regexp.MustCompile(`^[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*$`)

// NoFolder returns the error for a path where nothing exists. If the path is the name of a model on the Hub, the hint is the command that downloads the model.
func NoFolder(path string, err error) error {
	if !repository.MatchString(path) || strings.HasSuffix(path, ".dspec") {
		return err
	}
	_, name, _ := strings.Cut(path, "/")
	return fault.Input(path, "there is no such folder; models are not downloaded by themselves").Hint("hf download %s --local-dir %s, then %s in its "+
		"place", path, name, name)
}

// otherWeights lists the forms of weights that are not read: the pattern of a file by which a form is recognised, its name, and how to make a folder
// that is read.
var otherWeights = []struct{ pattern, what, do string }{
	{"adapter_model.*", "an adapter (PEFT)", ""},
	{"*.onnx", "ONNX", "download model.safetensors of the model that was exported, or export from its folder again"},
	{"onnx/*.onnx", "ONNX", "download model.safetensors of the model that was exported, or export from its folder again"},
	{"openvino*.xml", "OpenVINO", "download model.safetensors of the model that was exported"},
	{"openvino/*.xml", "OpenVINO", "download model.safetensors of the model that was exported"},
	{"tf_model.h5", "TensorFlow",
		`python -c "from transformers import AutoModel; AutoModel.from_pretrained('%[1]s', from_tf=True).save_pretrained('%[1]s')"  (with transformers 4 ` +
			`and the class that config.json names)`},
	{"flax_model.msgpack", "Flax",
		`python -c "from transformers import AutoModel; AutoModel.from_pretrained('%[1]s', from_flax=True).save_pretrained('%[1]s')"  (with transformers ` +
			`4 and the class that config.json names)`},
	{"*.gguf", "GGUF", "download model.safetensors of the model that was converted"},
	{"model*.safetensors", "safetensors under another name than model.safetensors", "rename it, if it is the model"},
	{"pytorch_model*.bin", "a file of torch under another name than pytorch_model.bin", "rename it, if it is the model"},
	{"*.pt", "a file of torch under another name than pytorch_model.bin", "rename it to pytorch_model.bin, if it is the model's state_dict"},
}

// noModel returns the error for a folder that lacks what a model needs. If the folder has the model in another form, a hint tells how to convert it.
func (f *Folder) noModel(what string) error {
	missing := fault.Input(f.Dir, "%s", what)
	if is, err := runfolder.Is(f.Dir); err == nil && is {
		return fault.Input(f.Dir, "it is the folder of a run, and a model folder is wanted").Hint("debertac export %s -o DIR", wording.Quoted(f.Dir))
	}
	if weights, err := f.layout(); weights != nil && err == nil {
		return missing // the folder has weights: something else is missing
	}
	for _, o := range otherWeights {
		found, err := fs.Glob(f.view, o.pattern)
		if err != nil || len(found) == 0 {
			continue
		}
		missing = fault.Input(f.Dir, "%s; it has %s (%s), which is not read", what, o.what, found[0])
		if o.do == "" {
			return missing.Hint("%s", f.merge())
		}
		if strings.Contains(o.do, "%") {
			return missing.Hint(o.do, f.Dir)
		}
		return missing.Hint("%s", o.do)
	}
	return missing
}

// merge returns the command that merges the weights of an adapter into those of its model.
func (f *Folder) merge() string {
	var config struct {
		Base string `json:"base_model_name_or_path"`
		Task string `json:"task_type"`
	}
	if text, err := f.view.ReadFile("adapter_config.json"); err == nil {
		_ = json.Unmarshal(text, &config) // fields that it lacks stay empty
	}
	if config.Base == "" {
		config.Base = "its base model"
	}
	class := map[string]string{"SEQ_CLS": "SequenceClassification", "TOKEN_CLS": "TokenClassification", "QUESTION_ANS": "QuestionAnswering",
		"FEATURE_EXTRACTION": "FeatureExtraction"}[config.Task]
	return fmt.Sprintf(`merge it into %s first: python -c "from peft import AutoPeftModel%s as M; `+
		`M.from_pretrained('%s').merge_and_unload().save_pretrained('merged')", and copy the tokenizer's files`,
		config.Base, map[bool]string{true: "For" + class}[class != ""], filepath.ToSlash(f.Dir))
}

// pointerStart is the beginning of a Git LFS pointer: in a repository that was cloned without Git LFS, pointers replace the large files.
const pointerStart = "version https://git-lfs.github.com/spec/"

// errPointer is the error for such a file.
var errPointer = errors.New("this is a pointer of Git LFS, not the file itself: run git lfs pull in its repository, or download the file")

// noPointers is the file system of a folder that returns an error for pointers of Git LFS.
type noPointers struct{ fs.FS }

// ReadFile reads a file. It returns errPointer for a pointer.
func (n noPointers) ReadFile(name string) ([]byte, error) {
	text, err := fs.ReadFile(n.FS, name)
	if err == nil && bytes.HasPrefix(text, []byte(pointerStart)) {
		return nil, &fs.PathError{Op: "read", Path: name, Err: errPointer}
	}
	return text, err
}

// Stat describes a file.
func (n noPointers) Stat(name string) (fs.FileInfo, error) { return fs.Stat(n.FS, name) }

// ReadDir lists a folder.
func (n noPointers) ReadDir(name string) ([]fs.DirEntry, error) { return fs.ReadDir(n.FS, name) }
