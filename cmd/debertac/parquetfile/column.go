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
	"strings"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

// column reads one column: values, lists, and structures of them.
type column struct {
	name   string
	quoted []byte // name in JSON
	root   *node
	leaves []*leaf
}

// node is a part of a column's type. Definition and repetition levels are those of Dremel (Melnik et al. 2010): a value with a lower definition level than
// present is null, and one with a lower level than element belongs to an empty list.
type node struct {
	optional, list           bool
	present, element, repeat int
	leaf                     *leaf
	item                     *node   // of a list
	children                 []*node // of a structure
	quoted                   []byte  // its name in JSON, as a child
	first                    *leaf
	leaves                   []*leaf
}

// leaf reads the values of a part of a column that is not made of others.
type leaf struct {
	leaf    parquet.LeafColumn
	convert func(b *bytes.Buffer, v parquet.Value)

	pages  parquet.Pages
	page   parquet.Page
	values parquet.ValueReader
	buf    []parquet.Value
	at, n  int
}

func newColumn(s *parquet.Schema, f parquet.Field) (*column, error) {
	c := &column{name: f.Name(), quoted: quote(f.Name())}
	var err error
	if c.root, err = c.node(s, []string{f.Name()}, f, 0, 0); err != nil {
		return nil, err
	}
	c.leaves = c.root.leaves
	return c, nil
}

func quote(name string) []byte {
	var b bytes.Buffer
	writeString(&b, []byte(name))
	return b.Bytes()
}

// maxParts bounds how deep the type of a column is.
const maxParts = 16

// node describes the part of a column at a path. level and repeat are the levels of what the part is in.
func (c *column) node(s *parquet.Schema, path []string, p parquet.Node, level, repeat int) (*node, error) {
	if len(path) > maxParts {
		return nil, fmt.Errorf("column %q has parts in parts that are more than %d deep", c.name, maxParts)
	}
	n := &node{optional: p.Optional(), list: p.Repeated(), quoted: quote(path[len(path)-1])}
	if n.optional {
		level++
	}
	n.present = level
	if n.list { // a list without a type of its own
		n.element, n.repeat = level+1, repeat+1
		item, err := c.inside(s, path, p, level+1, repeat+1)
		return n.of(item), err
	}
	if inner := repeated(p); inner != nil { // a list is a group of one repeated group of one element
		n.list, n.element, n.repeat = true, level+1, repeat+1
		path = append(path[:len(path):len(path)], inner.Name())
		if !inner.Leaf() && len(inner.Fields()) == 1 {
			element := inner.Fields()[0]
			item, err := c.node(s, append(path, element.Name()), element, level+1, repeat+1)
			return n.of(item), err
		}
		item, err := c.inside(s, path, inner, level+1, repeat+1)
		return n.of(item), err
	}
	inside, err := c.inside(s, path, p, level, repeat)
	if err != nil {
		return nil, err
	}
	n.leaf, n.children, n.first, n.leaves = inside.leaf, inside.children, inside.first, inside.leaves
	return n, nil
}

// of sets the item of a list.
func (n *node) of(item *node) *node {
	if item != nil {
		n.item, n.first, n.leaves = item, item.first, item.leaves
	}
	return n
}

// repeated returns the only field of a group if it is repeated, so that the group is a list.
func repeated(p parquet.Node) parquet.Field {
	if p.Leaf() {
		return nil
	}
	if inner := p.Fields(); len(inner) == 1 && inner[0].Repeated() {
		return inner[0]
	}
	return nil
}

// inside describes what a part is made of, apart from its being optional or a list.
func (c *column) inside(s *parquet.Schema, path []string, p parquet.Node, level, repeat int) (*node, error) {
	n := &node{}
	if !p.Leaf() {
		for _, f := range p.Fields() {
			child, err := c.node(s, append(path[:len(path):len(path)], f.Name()), f, level, repeat)
			if err != nil {
				return nil, err
			}
			n.children, n.leaves = append(n.children, child), append(n.leaves, child.leaves...)
		}
		if len(n.leaves) == 0 {
			return nil, fmt.Errorf("column %q has a part without values: the file is damaged", c.name)
		}
		n.first = n.leaves[0]
		return n, nil
	}
	found, ok := s.Lookup(path...)
	if !ok {
		return nil, fmt.Errorf("column %q has a part %q that is not described: the file is damaged", c.name, strings.Join(path, "."))
	}
	l := &leaf{leaf: found, buf: make([]parquet.Value, 64)}
	if l.convert = converter(found.Node.Type()); l.convert == nil {
		return nil, fmt.Errorf("column %q has the type %s, which is not read: write it as a string", strings.Join(path, "."), found.Node.Type())
	}
	n.leaf, n.first, n.leaves = l, l, []*leaf{l}
	return n, nil
}

// codecs lists the compressions that are read. LZ4 is not read: its decoder doubles its buffer until a block can be decoded, so one damaged block
// would take all memory.
var codecs = []format.CompressionCodec{format.Uncompressed, format.Snappy, format.Gzip, format.Brotli, format.Zstd}

// unpacks returns an error if the column has, in one of the row groups, a compression that is not read.
func (c *column) unpacks(d *format.FileMetaData) error {
	for _, group := range d.RowGroups {
		for _, l := range c.leaves {
			if l.leaf.ColumnIndex >= len(group.Columns) {
				return fmt.Errorf("column %q is missing in a row group: the file is damaged", c.name)
			}
			if codec := group.Columns[l.leaf.ColumnIndex].MetaData.Codec; !slices.Contains(codecs, codec) {
				return fmt.Errorf("column %q is compressed with %v, which is not read (%v are): write the file with another compression, such as zstd",
					c.name, codec, codecs)
			}
		}
	}
	return nil
}

// close closes the current row group.
func (c *leaf) close() error {
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
func (c *leaf) peek() (parquet.Value, error) {
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
	for _, l := range c.leaves {
		v, err := l.peek()
		if err == nil && v.RepetitionLevel() != 0 {
			err = errors.New("a row does not begin where those of the other parts do: the file is damaged")
		}
		if err != nil {
			return ended(err)
		}
	}
	return c.root.write(b)
}

// ended returns the error for a column that cannot be read further.
func ended(err error) error {
	if errors.Is(err, io.EOF) {
		return errors.New("the column ends before the others: the file is damaged")
	}
	return err
}

// write writes a part of a row.
func (n *node) write(b *bytes.Buffer) error {
	v, err := n.first.peek()
	if err != nil {
		return ended(err)
	}
	switch level := v.DefinitionLevel(); {
	case n.optional && level < n.present:
		b.WriteString("null")
		return n.skip()
	case n.list && level < n.element:
		b.WriteString("[]")
		return n.skip()
	case !n.list:
		return n.value(b)
	}
	sep := byte('[')
	for first := true; ; first = false {
		v, err := n.first.peek()
		if errors.Is(err, io.EOF) || err == nil && !first && v.RepetitionLevel() < n.repeat {
			b.WriteByte(']')
			return nil
		}
		if err != nil {
			return err
		}
		b.WriteByte(sep)
		sep = ','
		if err := n.item.write(b); err != nil {
			return err
		}
	}
}

// skip takes the one value that each leaf has for a part that is null or an empty list.
func (n *node) skip() error {
	for _, l := range n.leaves {
		if _, err := l.peek(); err != nil {
			return ended(err)
		}
		l.at++
	}
	return nil
}

// value writes a part that is there and is not a list.
func (n *node) value(b *bytes.Buffer) error {
	if n.leaf != nil {
		v, err := n.leaf.peek()
		if err != nil {
			return ended(err)
		}
		if v.IsNull() {
			b.WriteString("null")
		} else {
			n.leaf.convert(b, v)
		}
		n.leaf.at++
		return nil
	}
	sep := byte('{')
	for _, child := range n.children {
		b.WriteByte(sep)
		sep = ','
		b.Write(child.quoted)
		b.WriteByte(':')
		if err := child.write(b); err != nil {
			return err
		}
	}
	b.WriteByte('}')
	return nil
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
