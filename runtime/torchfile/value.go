package torchfile

import "github.com/debertac/debertac/runtime/safetensors"

// The types of values on the machine's stack, besides nil, bool, int64, float64 and string.
type (
	// global is the name of a function or class. The instruction reduce calls it if it is one of the few that are known.
	global string
	// marker separates the operands of the instructions that take many.
	marker struct{}
	tuple  []any
	list   struct{ items []any }
	// dict keeps its entries in the order in which they were set.
	dict struct {
		keys   []any
		values []any
	}
)

// storage is a list of numbers in the file. Tensors are views of storages.
type storage struct {
	key   string
	dtype safetensors.DType
	count int64 // number of elements
}

// tensor is a view of a storage: element (i0, i1, …) is the storage's number offset + i0·stride0 + i1·stride1 + ….
type tensor struct {
	storage *storage
	offset  int64
	shape   []int
	stride  []int
}

// storages maps the classes of storages to element types.
var storages = map[global]safetensors.DType{
	"torch.DoubleStorage": safetensors.F64, "torch.FloatStorage": safetensors.F32, "torch.HalfStorage": safetensors.F16,
	"torch.BFloat16Storage": safetensors.BF16, "torch.LongStorage": safetensors.I64, "torch.IntStorage": safetensors.I32,
	"torch.CharStorage": safetensors.I8, "torch.ByteStorage": safetensors.U8, "torch.BoolStorage": safetensors.Bool,
}

// The functions that a pickle may call.
const (
	orderedDict      global = "collections.OrderedDict"
	rebuildTensor    global = "torch._utils._rebuild_tensor"
	rebuildTensorV2  global = "torch._utils._rebuild_tensor_v2"
	rebuildParameter global = "torch._utils._rebuild_parameter"
)

// known reports whether a file may name this global.
func known(g global) bool {
	switch g {
	case orderedDict, rebuildTensor, rebuildTensorV2, rebuildParameter:
		return true
	}
	_, ok := storages[g]
	return ok
}

// shown returns a value for a message that expects a number. For other values it returns the kind and does not write them out: a few instructions can make
// nested tuples that would fill any memory.
func shown(v any) any {
	switch v.(type) {
	case int64, float64, bool:
		return v
	}
	return kind(v)
}

// kind returns a name for the kind of a value, for messages.
func kind(v any) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case bool:
		return "a truth value"
	case int64, float64:
		return "a number"
	case string:
		return "a text"
	case global:
		return string(v)
	case marker:
		return "a mark"
	case tuple:
		return "a tuple"
	case *list:
		return "a list"
	case *dict:
		return "a dictionary"
	case *storage:
		return "a storage"
	case *tensor:
		return "a tensor"
	}
	return "something else"
}
