package ir

import "strconv"

// Name returns a value of the region that no call stores a name that says what it is: the stem, or the stem with a number after it where another value has that
// name. Values that regions hand on keep theirs.
func (b *Builder) Name(v *Value, stem string) *Value {
	if v.Kind != Temp || v.Name == stem {
		return v
	}
	for _, o := range b.r.Out {
		if o == v {
			return v
		}
	}
	delete(b.names, v.Name)
	name := stem
	for i := 2; b.names[name]; i++ {
		name = stem + strconv.Itoa(i)
	}
	b.names[name] = true
	v.Name = name
	return v
}
