//go:build !linux

package resource

import "io/fs"

// limits is not known here.
func limits(fs.FS) int64 { return Unknown }

// free is not known here.
func free(string) int64 { return Unknown }
