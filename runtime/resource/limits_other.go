//go:build !linux

package resource

import "io/fs"

// limits returns Unknown: the limits are not known here.
func limits(fs.FS) int64 { return Unknown }

// free returns Unknown: the free space is not known here.
func free(string) int64 { return Unknown }
