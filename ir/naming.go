package ir

import "strconv"

// Name renames a value that no call stores, so that its name tells what it is: stem, or stem with a number after it if another value has that name. It returns
// the value. Outputs of the region and values without a node keep their names.
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
