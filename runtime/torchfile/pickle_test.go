package torchfile_test

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime/torchfile"
)

// zipped puts a pickle and storages into an archive as torch.save does.
func zipped(t testing.TB, pickle string, storages map[string][]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	add := func(name string, data []byte) {
		w, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store})
		require.NoError(t, err)
		_, err = w.Write(data)
		require.NoError(t, err)
	}
	add("archive/data.pkl", []byte(pickle))
	for key, data := range storages {
		add("archive/data/"+key, data)
	}
	require.NoError(t, z.Close())
	return b.Bytes()
}

// text returns the instruction that makes a string. The functions below also return parts of pickles.
func text(s string) string {
	return "X" + string(binary.LittleEndian.AppendUint32(nil, uint32(len(s)))) + s
}

func number(n int) string {
	return "J" + string(binary.LittleEndian.AppendUint32(nil, uint32(int32(n))))
}

func numbers(list ...int) string {
	s := "("
	for _, n := range list {
		s += number(n)
	}
	return s + "t"
}

// reference returns a reference to a storage.
func reference(class, key string, count int) string {
	return "(" + text("storage") + "ctorch\n" + class + "\n" + text(key) + text("cpu") + number(count) + "tQ"
}

// view returns a tensor on a storage.
func view(storage string, offset int, shape, stride string) string {
	return "ctorch._utils\n_rebuild_tensor_v2\n(" + storage + number(offset) + shape + stride + "\x89ccollections\nOrderedDict\n)RtR"
}

// wide is a tuple of two tuples of two tuples, and so on. Written out it would have 2⁶⁴ values.
var wide = "N" + strings.Repeat("q\x00h\x00\x86", 64)

// weights returns a dictionary with one tensor.
func weights(tensor string) string { return "\x80\x02}" + text("w") + tensor + "s." }

// TestPickleFaults checks that a file that asks for anything but tensors is refused, and that every tensor must lie within its storage.
func TestPickleFaults(t *testing.T) {
	ok := reference("FloatStorage", "0", 4)
	for _, c := range []struct{ pickle, want string }{
		{"\x80\x02cos\nsystem\n" + text("echo") + "\x85R.", `offset 2 of its pickle: it asks for "os.system"`},
		{"\x80\x04" + "\x8c\x02os\x8c\x06system\x93.", `offset 14 of its pickle: it asks for "os.system"`},
		{"\x80\x02cbuiltins\neval\n.", `"builtins.eval"`},
		{"\x80\x02ctorch._utils\n_rebuild_tensor_v2.__globals__\n.", "it asks for"},
		{"\x80\x02ccollections\nOrderedDict\n)\x81.", "the instruction NEWOBJ (0x81)"},
		{"\x80\x02(ios\nsystem\n.", "the instruction INST (0x69)"},
		{"\x80\x02\xff.", "the instruction unknown (0xff)"},
		{"\x80\x02C\x01a.", "the instruction SHORT_BINBYTES"},
		{"\x80\x09N.", "version 9"},
		{"\x80\x02", "ends within"},
		{"\x80\x02X\xff\xff\xff\xff", "a text of"},
		{"\x80\x02X\x02\x00\x00\x00\xff\xfe.", "not valid UTF-8"},
		{"\x80\x02s.", "no value on the stack"},
		{"\x80\x02u.", "no mark"},
		{"\x80\x02(.", "a mark instead of a value"},
		{"\x80\x02h\x05.", "value 5 was never remembered"},
		{"\x80\x02NN.", "1 values are left"},
		{"\x80\x02}N.N", "1 values are left"},
		{"\x80\x02}.N", "1 bytes follow its pickle"},
		{"\x80\x02}(NNNu.", "3 values for the entries"},
		{"\x80\x02]NNs.", "entries are set in a list"},
		{"\x80\x02}Na.", "values are added to a dictionary"},
		{"\x80\x02NNb.", "attributes are set on None"},
		{"\x80\x02N)R.", "a call of None"},
		{"\x80\x02ccollections\nOrderedDict\nNR.", "a call with None"},
		{"\x80\x02ccollections\nOrderedDict\nN\x85R.", "with 1 operands"},
		{"\x80\x02ctorch\nFloatStorage\n)R.", "a call of torch.FloatStorage"},
		{"\x80\x02ctorch._utils\n_rebuild_parameter\n)R.", "without a tensor"},
		{"\x80\x02ctorch._utils\n_rebuild_parameter\nN\x85R.", "_rebuild_parameter of None"},
		{"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n)R.", "0 operands"},
		{"\x80\x02\x8a\x09123456789.", "a whole number of 9 bytes"},
		{"\x80\x02" + strings.Repeat("(", 1100), "1024 marks"},
		{"\x80\x02NQ.", "a reference that is None"},
		{"\x80\x02.", "no value"},
		{"\x80\x02N.", "it holds None"},
		{"\x80\x02}.", "no tensors"},
		{"\x80\x02}K\x01Ns.", "a number for a name"},
		{weights("}"), "a dictionary, not a tensor: the file is a training checkpoint"},
		{weights("N"), "None, not a tensor"},
		{weights(reference("FloatStorage", "0", 4)), "a storage, not a tensor"},
		{weights(reference("QInt8Storage", "0", 4)), "torch.QInt8Storage"},
		{weights(view(reference("FloatStorage", "7", 4), 0, numbers(4), numbers(1))), "no entry data/7"},
		{weights(view(reference("FloatStorage", "0", 5), 0, numbers(4), numbers(1))), "has 16 bytes, 5 numbers of F32 have 20"},
		{weights(view(reference("FloatStorage", "0", -5), 0, numbers(4), numbers(1))), "-5 elements"},
		{weights(view(ok, 0, numbers(5), numbers(1))), "reaches number 4"},
		{weights(view(ok, 1, numbers(4), numbers(1))), "reaches number 4"},
		{weights(view(ok, 0, numbers(2, 2), numbers(3, 1))), "reaches number 4"},
		{weights(view(ok, -1, numbers(2), numbers(1))), "the offset is -1"},
		{weights("ctorch._utils\n_rebuild_tensor_v2\n(" + ok + wide + numbers(1) + numbers(1) + "tR"), "the offset is a tuple"},
		{weights(view("("+text("storage")+"ctorch\nFloatStorage\n"+text("0")+text("cpu")+wide+"tQ", 0, numbers(1), numbers(1))),
			`storage "0" with a tuple elements`},
		{weights(view(ok, 0, numbers(-2), numbers(1))), "numbers from 0"},
		{weights(view(ok, 0, numbers(2), numbers(-1))), "numbers from 0"},
		{weights(view(ok, 0, numbers(2, 2), numbers(1))), "2 extents with 1 strides"},
		{weights(view(ok, 0, numbers(1<<30, 1<<30), numbers(0, 0))), "too large"},
		{weights(view(ok, 0, numbers(2, 2), numbers(1<<30, 1<<30))), "reaches number"},
		{weights(view(ok, 0, "N", numbers(1))), "the shape is None"},
		{weights(view(ok, 0, numbers(1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1), numbers(1))), "17 numbers"},
		{"\x80\x02}(" + text("w") + view(ok, 0, numbers(4), numbers(1)) + text("w") + view(ok, 0, numbers(4), numbers(1)) + "u.", "twice"},
		{weights(view("("+text("storage")+"ctorch\nHalfStorage\n"+text("0")+text("cpu")+number(4)+"tQ0", 0, numbers(1), numbers(1))), "the instruction POP"},
		{"\x80\x02}(" + text("a") + view(ok, 0, numbers(4), numbers(1)) + text("b") + view(reference("HalfStorage", "0", 8), 0, numbers(4), numbers(1)) + "u.",
			"8 elements of F16 here"},
	} {
		_, err := torchfile.OpenBytes("x.bin", zipped(t, c.pickle, map[string][]byte{"0": make([]byte, 16)}))
		require.ErrorContains(t, err, c.want, "%q", c.pickle)
		require.ErrorContains(t, err, "x.bin")
	}
	f, err := torchfile.OpenBytes("x.bin", zipped(t, weights(view(ok, 0, numbers(4), numbers(1))), map[string][]byte{"0": make([]byte, 16)}))
	require.NoError(t, err)
	require.Equal(t, []string{"w"}, f.Names())
}

// TestArchiveFaults checks archives that differ from those that torch.save writes.
func TestArchiveFaults(t *testing.T) {
	pickle := weights(view(reference("FloatStorage", "0", 4), 0, numbers(4), numbers(1)))
	type file struct {
		name   string
		method uint16
		data   string
	}
	data := file{"a/data/0", zip.Store, strings.Repeat("\x00", 16)}
	good := file{"a/data.pkl", zip.Store, pickle}
	for want, files := range map[string][]file{
		"without a data.pkl":           {data},
		"two pickles":                  {good, {"b/data.pkl", zip.Store, pickle}, data},
		"a TorchScript program":        {good, data, {"a/constants.pkl", zip.Store, ""}},
		`the byte order "big"`:         {good, data, {"a/byteorder", zip.Store, "big"}},
		"is there twice":               {good, data, data},
		"its entry a/data/0 is compre": {good, {"a/data/0", zip.Deflate, data.data}},
	} {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		for _, f := range files {
			w, err := z.CreateHeader(&zip.FileHeader{Name: f.name, Method: f.method})
			require.NoError(t, err)
			_, err = w.Write([]byte(f.data))
			require.NoError(t, err)
		}
		require.NoError(t, z.Close())
		_, err := torchfile.OpenBytes("x.bin", b.Bytes())
		require.ErrorContains(t, err, want)
	}
}

// TestStreamFaults checks streams of torch before 1.6 that are cut, or that come from a machine with another byte order.
func TestStreamFaults(t *testing.T) {
	const magic = "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."
	version, system := "\x80\x02M\xe9\x03.", "\x80\x02}"+text("little_endian")+"\x88s."
	storage := func(count int, more string) string {
		return "(" + text("storage") + "ctorch\nFloatStorage\n" + text("9") + text("cpu") + number(count) + more + "tQ"
	}
	tensor := weights(view(storage(1, "N"), 0, numbers(1), numbers(1)))
	keys := "\x80\x02]" + text("9") + "a."
	body := "\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80?"
	f, err := torchfile.OpenBytes("x.bin", []byte(magic+version+system+tensor+keys+body))
	require.NoError(t, err)
	v := make([]float32, 1)
	require.NoError(t, f.Floats("w", v))
	require.Equal(t, float32(1), v[0])
	for want, file := range map[string]string{
		"its version is 1002":                                 "\x80\x02M\xea\x03.",
		"its version is a tuple":                              "\x80\x02" + wide + ".",
		"has a tuple for a key":                               version + system + tensor + "\x80\x02]" + wide + "a.",
		"does not declare that its numbers are little-endian": version + "\x80\x02}" + text("little_endian") + "\x89s.",
		"byte order":                                          version + "\x80\x02].",
		"a part of another one":                               version + system + weights(view(storage(1, text("view")), 0, numbers(1), numbers(1))),
		"its list of storages is a diction":                   version + system + tensor + "\x80\x02}.",
		"which its pickle does not read":                      version + system + tensor + "\x80\x02]" + text("8") + "a.",
		"lists the storage 9 twice":                           version + system + tensor + "\x80\x02](" + text("9") + text("9") + "e." + body,
		"lacks the storage 9":                                 version + system + tensor + "\x80\x02].",
		"has 2 elements, its pickle declares 1":               version + system + tensor + keys + "\x02" + body[1:],
		"ends before storage 9":                               version + system + tensor + keys,
		"ends within storage 9":                               version + system + tensor + keys + body[:10],
		"3 bytes follow":                                      version + system + tensor + keys + body + "abc",
		"a reference to a storage where a pickle cannot have": version + system + tensor + "\x80\x02]" + storage(1, "N") + "a.",
		`it asks for "os.system"`:                             version + system + "\x80\x02cos\nsystem\n.",
	} {
		_, err := torchfile.OpenBytes("x.bin", []byte(magic+file))
		require.ErrorContains(t, err, want)
	}
	// The offset counts from the start of the file.
	_, err = torchfile.OpenBytes("x.bin", []byte(magic+version+system+"\x80\x02cos\nsystem\n."))
	require.ErrorContains(t, err, fmt.Sprintf("offset %d ", len(magic+version+system)+2))
}

// FuzzFile checks that any file is read within its bounds or refused with a reason.
func FuzzFile(f *testing.F) {
	for _, name := range []string{"all.bin", "old.bin", "module.bin", "protocol4.bin", "whole.bin"} {
		file, err := os.ReadFile("testdata/" + name)
		require.NoError(f, err)
		f.Add(file, false)
	}
	f.Add([]byte(weights(view(reference("FloatStorage", "0", 4), 0, numbers(2, 2), numbers(1, 2)))), true)
	f.Add([]byte(weights(view(reference("BFloat16Storage", "0", 8), 3, numbers(5), numbers(1)))), true)
	f.Fuzz(func(t *testing.T, data []byte, pickle bool) {
		if pickle {
			data = zipped(t, string(data), map[string][]byte{"0": make([]byte, 16)})
		}
		file, err := torchfile.OpenBytes("x.bin", data)
		if err != nil {
			require.NotEmpty(t, err.Error())
			return
		}
		for _, name := range file.Names() {
			info, err := file.Info(name)
			require.NoError(t, err)
			if info.Elements() > 1<<16 {
				continue
			}
			if err := file.Floats(name, make([]float32, info.Elements())); err != nil {
				require.NotEmpty(t, err.Error())
			}
		}
		require.NoError(t, file.Close())
	})
}
