package parquetfile

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

// column reads one column of values, or of lists of values.
type column struct {
	name   string
	quoted []byte // name in JSON
	leaf   parquet.LeafColumn
	// present is the smallest definition level at which the field is there, element the smallest at which its list has an element (Dremel, Melnik et
	// al. 2010). A column is a list if its repetition level is not 0.
	present, element int
	convert          func(b *bytes.Buffer, v parquet.Value)

	pages  parquet.Pages
	page   parquet.Page
	values parquet.ValueReader
	buf    []parquet.Value
	at, n  int
}

func newColumn(s *parquet.Schema, f parquet.Field) (*column, error) {
	c := &column{name: f.Name(), buf: make([]parquet.Value, 64)}
	var b bytes.Buffer
	writeString(&b, []byte(c.name))
	c.quoted = b.Bytes()
	path := []string{f.Name()}
	var node parquet.Node = f
	level := 0
	for {
		if node.Optional() {
			level++
		}
		if len(path) == 1 {
			c.present = level
		}
		if node.Repeated() {
			level++
			c.element = level
		}
		if node.Leaf() {
			break
		}
		inner := node.Fields()
		if len(inner) != 1 {
			return nil, fmt.Errorf("column %q is a structure of several values, which is not read: choose another column, or write its parts as "+
				"columns", c.name)
		}
		path, node = append(path, inner[0].Name()), inner[0]
	}
	leaf, ok := s.Lookup(path...)
	if !ok || leaf.MaxRepetitionLevel > 1 || leaf.MaxRepetitionLevel == 0 && len(path) > 1 {
		return nil, fmt.Errorf("column %q is nested, which is not read: only values and lists of values are", c.name)
	}
	c.leaf = leaf
	if c.convert = converter(leaf.Node.Type()); c.convert == nil {
		return nil, fmt.Errorf("column %q has the type %s, which is not read: write it as a string", c.name, leaf.Node.Type())
	}
	return c, nil
}

// codecs lists the compressions that are read. LZ4 is not read: its decoder doubles its buffer until a block can be decoded, so one damaged block
// would take all memory.
var codecs = []format.CompressionCodec{format.Uncompressed, format.Snappy, format.Gzip, format.Brotli, format.Zstd}

// unpacks returns an error if the column has, in one of the row groups, a compression that is not read.
func (c *column) unpacks(d *format.FileMetaData) error {
	for _, group := range d.RowGroups {
		if c.leaf.ColumnIndex >= len(group.Columns) {
			return fmt.Errorf("column %q is missing in a row group: the file is damaged", c.name)
		}
		if codec := group.Columns[c.leaf.ColumnIndex].MetaData.Codec; !slices.Contains(codecs, codec) {
			return fmt.Errorf("column %q is compressed with %v, which is not read (%v are): write the file with another compression, such as zstd",
				c.name, codec, codecs)
		}
	}
	return nil
}

// close closes the current row group.
func (c *column) close() error {
	if c.page != nil {
		parquet.Release(c.page)
	}
	c.page, c.values, c.at, c.n = nil, nil, 0, 0
	if c.pages == nil {
		return nil
	}
	err := c.pages.Close()
	c.pages = nil
	return err
}

// peek returns the next value without taking it; io.EOF at the end of the row group. Its bytes are valid until the next call.
func (c *column) peek() (parquet.Value, error) {
	for c.at == c.n {
		if c.values == nil {
			page, err := c.pages.ReadPage()
			if err != nil {
				return parquet.Value{}, err
			}
			c.page, c.values = page, page.Values()
		}
		n, err := c.values.ReadValues(c.buf)
		c.at, c.n = 0, n
		if err != nil && !errors.Is(err, io.EOF) {
			return parquet.Value{}, err
		}
		if n == 0 { // the page has been read to its end
			parquet.Release(c.page)
			c.page, c.values = nil, nil
		}
	}
	return c.buf[c.at], nil
}

// write writes the value of the next row.
func (c *column) write(b *bytes.Buffer) error {
	v, err := c.peek()
	if errors.Is(err, io.EOF) {
		return errors.New("the column ends before the others: the file is damaged")
	}
	if err != nil {
		return err
	}
	if c.leaf.MaxRepetitionLevel == 0 {
		c.scalar(b, v)
		c.at++
		return nil
	}
	switch level := v.DefinitionLevel(); {
	case level < c.present:
		b.WriteString("null")
		c.at++
		return nil
	case level < c.element:
		b.WriteString("[]")
		c.at++
		return nil
	}
	sep := byte('[')
	for first := true; ; first = false {
		v, err := c.peek()
		if errors.Is(err, io.EOF) || err == nil && !first && v.RepetitionLevel() == 0 {
			b.WriteByte(']')
			return nil
		}
		if err != nil {
			return err
		}
		b.WriteByte(sep)
		sep = ','
		c.scalar(b, v)
		c.at++
	}
}

func (c *column) scalar(b *bytes.Buffer, v parquet.Value) {
	if v.IsNull() {
		b.WriteString("null")
		return
	}
	c.convert(b, v)
}

// converter returns a function that writes values of a type as JSON. It returns nil if JSON has no form for the type.
func converter(t parquet.Type) func(*bytes.Buffer, parquet.Value) {
	var logical format.LogicalTypeValue
	if l := t.LogicalType(); l != nil {
		logical = l.Value
	}
	switch kind := t.Kind(); kind {
	case parquet.Boolean:
		return func(b *bytes.Buffer, v parquet.Value) { b.WriteString(strconv.FormatBool(v.Boolean())) }
	case parquet.Int32, parquet.Int64:
		return integers(kind, logical)
	case parquet.Float:
		return func(b *bytes.Buffer, v parquet.Value) { writeFloat(b, float64(v.Float()), 32) }
	case parquet.Double:
		return func(b *bytes.Buffer, v parquet.Value) { writeFloat(b, v.Double(), 64) }
	case parquet.ByteArray:
		switch logical.(type) {
		case nil, *format.StringType, *format.EnumType, *format.JsonType:
			return func(b *bytes.Buffer, v parquet.Value) { writeString(b, v.ByteArray()) }
		}
	case parquet.FixedLenByteArray:
		if _, ok := logical.(*format.UUIDType); ok {
			return func(b *bytes.Buffer, v parquet.Value) {
				s := hex.EncodeToString(v.ByteArray())
				writeString(b, []byte(s[:8]+"-"+s[8:12]+"-"+s[12:16]+"-"+s[16:20]+"-"+s[20:]))
			}
		}
	}
	return nil
}

// integers writes whole numbers, dates and times.
func integers(kind parquet.Kind, logical format.LogicalTypeValue) func(*bytes.Buffer, parquet.Value) {
	number := func(v parquet.Value) int64 {
		if kind == parquet.Int32 {
			return int64(v.Int32())
		}
		return v.Int64()
	}
	switch l := logical.(type) {
	case nil:
	case *format.IntType:
		if !l.IsSigned {
			return func(b *bytes.Buffer, v parquet.Value) {
				n := uint64(number(v))
				if kind == parquet.Int32 {
					n = uint64(v.Uint32())
				}
				b.WriteString(strconv.FormatUint(n, 10))
			}
		}
	case *format.DateType:
		return func(b *bytes.Buffer, v parquet.Value) {
			writeString(b, []byte(time.Unix(number(v)*24*3600, 0).UTC().Format(time.DateOnly)))
		}
	case *format.TimestampType:
		if l.Unit.Value == nil { // the description is damaged
			return nil
		}
		unit := l.Unit.Value.Duration()
		layout := "2006-01-02T15:04:05.999999999"
		if l.IsAdjustedToUTC {
			layout += "Z07:00"
		}
		return func(b *bytes.Buffer, v parquet.Value) {
			n, second := number(v), int64(time.Second/unit)
			at := time.Unix(n/second, n%second*int64(unit)).UTC()
			writeString(b, []byte(at.Format(layout)))
		}
	default:
		return nil
	}
	return func(b *bytes.Buffer, v parquet.Value) { b.WriteString(strconv.FormatInt(number(v), 10)) }
}

// writeFloat writes a number. NaN and the infinities, which JSON does not have, become strings.
func writeFloat(b *bytes.Buffer, x float64, bits int) {
	text := strconv.FormatFloat(x, 'g', -1, bits)
	if math.IsNaN(x) || math.IsInf(x, 0) {
		writeString(b, []byte(text))
		return
	}
	b.WriteString(text)
}

// writeString writes a JSON string. Bytes that are not UTF-8 stay as they are: the reader of the line reports them.
func writeString(b *bytes.Buffer, s []byte) {
	const digits = "0123456789abcdef"
	b.WriteByte('"')
	from := 0
	for i, c := range s {
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		b.Write(s[from:i])
		from = i + 1
		switch c {
		case '"', '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		default:
			b.WriteString(`\u00`)
			b.WriteByte(digits[c>>4])
			b.WriteByte(digits[c&15])
		}
	}
	b.Write(s[from:])
	b.WriteByte('"')
}
