package torchfile

import "strings"

// step runs one instruction. The instructions that are missing here could make objects of any class, run their code, or are never written for tensors.
func (m *machine) step(op byte) error {
	switch op {
	case 0x80: // PROTO
		v, err := m.byte()
		if err == nil && (v < 2 || v > 5) {
			return m.fault("version %d of the pickle format, 2 to 5 are known", v)
		}
		return err
	case 0x95: // FRAME: how many bytes to read ahead
		_, err := m.bytes(8)
		return err
	case '(': // MARK
		if m.marks++; m.marks > maxMarks {
			return m.fault("more than %d marks within marks", maxMarks)
		}
		m.push(marker{})
		return nil
	case 'q', 'r': // BINPUT, LONG_BINPUT
		n, err := m.key(op == 'r')
		if err != nil {
			return err
		}
		return m.remember(n)
	case 0x94: // MEMOIZE
		return m.remember(uint32(len(m.memo)))
	case 'h', 'j': // BINGET, LONG_BINGET
		n, err := m.key(op == 'j')
		if err != nil {
			return err
		}
		return m.recall(n)
	}
	if make, ok := literals[op]; ok {
		v, err := make(m)
		if err == nil {
			m.push(v)
		}
		return err
	}
	return m.compose(op)
}

// literals are the instructions that make a value from the bytes after the instruction alone.
var literals = map[byte]func(*machine) (any, error){
	'N':  func(*machine) (any, error) { return nil, nil },                                      // NONE
	0x88: func(*machine) (any, error) { return true, nil },                                     // NEWTRUE
	0x89: func(*machine) (any, error) { return false, nil },                                    // NEWFALSE
	'}':  func(*machine) (any, error) { return &dict{}, nil },                                  // EMPTY_DICT
	']':  func(*machine) (any, error) { return &list{}, nil },                                  // EMPTY_LIST
	')':  func(*machine) (any, error) { return tuple{}, nil },                                  // EMPTY_TUPLE
	'J':  func(m *machine) (any, error) { n, err := m.number(4); return int64(int32(n)), err }, // BININT
	'K':  func(m *machine) (any, error) { n, err := m.number(1); return int64(n), err },        // BININT1
	'M':  func(m *machine) (any, error) { n, err := m.number(2); return int64(n), err },        // BININT2
	0x8a: func(m *machine) (any, error) { return sized(m, 1, m.long) },                         // LONG1
	'G':  (*machine).float,                                                                     // BINFLOAT
	'X':  func(m *machine) (any, error) { return sized(m, 4, m.text) },                         // BINUNICODE
	0x8c: func(m *machine) (any, error) { return sized(m, 1, m.text) },                         // SHORT_BINUNICODE
	'U':  func(m *machine) (any, error) { return sized(m, 1, m.text) },                         // SHORT_BINSTRING
	'T':  func(m *machine) (any, error) { return sized(m, 4, m.text) },                         // BINSTRING
	'c': func(m *machine) (any, error) { // GLOBAL
		module, err := m.line()
		if err != nil {
			return nil, err
		}
		name, err := m.line()
		if err != nil {
			return nil, err
		}
		return m.global(module, name)
	},
}

// key reads the number under which a value is remembered: one byte, or four if long is set.
func (m *machine) key(long bool) (uint32, error) {
	if long {
		return m.number(4)
	}
	return m.number(1)
}

// sized reads a length of the given number of bytes, and then a value of that length.
func sized[T any](m *machine, bytes int, read func(n int) (T, error)) (any, error) {
	n, err := m.number(bytes)
	if err != nil {
		return nil, err
	}
	return read(int(min(n, maxPickle+1)))
}

// global accepts the names that tensors need and no others.
func (m *machine) global(module, name string) (any, error) {
	g := global(module + "." + name)
	if !known(g) || strings.Contains(name, ".") {
		return nil, m.fault("it asks for %.200q, which no file of weights needs: nothing of it was run", g)
	}
	return g, nil
}

// compose runs the instructions that take values off the stack.
func (m *machine) compose(op byte) error {
	switch op {
	case 't': // TUPLE
		values, err := m.popTo()
		if err != nil {
			return err
		}
		m.push(tuple(values))
		return nil
	case 0x85, 0x86, 0x87: // TUPLE1, TUPLE2, TUPLE3
		return m.popTuple(int(op-0x85) + 1)
	case 'a': // APPEND
		v, err := m.pop()
		if err != nil {
			return err
		}
		return m.extend([]any{v})
	case 'e': // APPENDS
		values, err := m.popTo()
		if err != nil {
			return err
		}
		return m.extend(values)
	case 's': // SETITEM
		value, err := m.pop()
		if err != nil {
			return err
		}
		key, err := m.pop()
		if err != nil {
			return err
		}
		return m.set([]any{key, value})
	case 'u': // SETITEMS
		values, err := m.popTo()
		if err != nil {
			return err
		}
		return m.set(values)
	case 0x93: // STACK_GLOBAL
		name, err := m.pop()
		if err != nil {
			return err
		}
		module, err := m.pop()
		if err != nil {
			return err
		}
		a, okA := module.(string)
		b, okB := name.(string)
		if !okA || !okB {
			return m.fault("a global whose name is %s in %s", kind(name), kind(module))
		}
		g, err := m.global(a, b)
		m.push(g)
		return err
	case 'Q': // BINPERSID
		id, err := m.pop()
		if err != nil {
			return err
		}
		if m.person == nil {
			return m.fault("a reference to a storage where a pickle cannot have one")
		}
		v, err := m.person(id)
		if err != nil {
			return m.fault("%v", err)
		}
		m.push(v)
		return nil
	case 'b': // BUILD
		return m.build()
	case 'R': // REDUCE
		return m.reduce()
	}
	return m.fault("the instruction %s (0x%02x), which no file of weights needs: nothing of it was run", name(op), op)
}

// name returns the name of an instruction in Python's pickletools, or "unknown".
func name(op byte) string {
	if s, ok := names[op]; ok {
		return s
	}
	return "unknown"
}

// names holds the names of the instructions that are refused.
var names = map[byte]string{
	'i': "INST", 'o': "OBJ", 0x81: "NEWOBJ", 0x92: "NEWOBJ_EX", 0x82: "EXT1", 0x83: "EXT2", 0x84: "EXT4", 'P': "PERSID", '0': "POP", '1': "POP_MARK",
	'2': "DUP", 'I': "INT", 'L': "LONG", 'F': "FLOAT", 'S': "STRING", 'V': "UNICODE", 'd': "DICT", 'l': "LIST", 'p': "PUT", 'g': "GET", 0x8b: "LONG4",
	'B': "BINBYTES", 'C': "SHORT_BINBYTES", 0x8d: "BINUNICODE8", 0x8e: "BINBYTES8", 0x8f: "EMPTY_SET", 0x90: "ADDITEMS", 0x91: "FROZENSET",
	0x96: "BYTEARRAY8", 0x97: "NEXT_BUFFER", 0x98: "READONLY_BUFFER",
}

// extend adds values to the list on top of the stack.
func (m *machine) extend(values []any) error {
	v, err := m.top()
	if err != nil {
		return err
	}
	l, ok := v.(*list)
	if !ok {
		return m.fault("values are added to %s, a list is wanted", kind(v))
	}
	l.items = append(l.items, values...)
	return nil
}

// set puts pairs of keys and values into the dictionary on top of the stack.
func (m *machine) set(pairs []any) error {
	v, err := m.top()
	if err != nil {
		return err
	}
	d, ok := v.(*dict)
	if !ok {
		return m.fault("entries are set in %s, a dictionary is wanted", kind(v))
	}
	if len(pairs)%2 != 0 {
		return m.fault("%d values for the entries of a dictionary: an even number is wanted", len(pairs))
	}
	for i := 0; i < len(pairs); i += 2 {
		d.keys, d.values = append(d.keys, pairs[i]), append(d.values, pairs[i+1])
	}
	return nil
}
