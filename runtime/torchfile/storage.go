package torchfile

import (
	"errors"
	"fmt"
)

// maxCount is the greatest number of elements of a storage. It is small enough that no product overflows.
const maxCount = 1 << 48

// storageTable collects the storages that a pickle refers to.
type storageTable struct {
	file  string
	known map[string]*storage
}

// person returns the function for references to storages. A reference is a tuple of "storage", type, key, device and number of elements. Older files have one
// more element, None unless the storage is a part of another one.
func (s *storageTable) person(operands int) func(any) (any, error) {
	return func(id any) (any, error) {
		t, ok := id.(tuple)
		if !ok || len(t) != operands || t[0] != "storage" {
			return nil, fmt.Errorf("a reference that is %s, not one to a storage", kind(id))
		}
		class, ok := t[1].(global)
		dtype := storages[class]
		if !ok || dtype == 0 {
			return nil, fmt.Errorf("a storage of the type %s", kind(t[1]))
		}
		key, ok := t[2].(string)
		if !ok {
			return nil, fmt.Errorf("a storage whose key is %s", kind(t[2]))
		}
		count, ok := t[4].(int64)
		if !ok || count < 0 || count > maxCount {
			return nil, fmt.Errorf("storage %q with %v elements", key, shown(t[4]))
		}
		if operands == 6 && t[5] != nil {
			return nil, errors.New("a storage that is a part of another one, as torch wrote before version 0.4: load the file with torch and save it again")
		}
		if have := s.known[key]; have != nil {
			if have.dtype != dtype || have.count != count {
				return nil, fmt.Errorf("storage %q has %d elements of %s here and %d of %s before", key, count, dtype, have.count, have.dtype)
			}
			return have, nil
		}
		made := &storage{key: key, dtype: dtype, count: count}
		s.known[key] = made
		return made, nil
	}
}
