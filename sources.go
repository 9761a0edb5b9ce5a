package debertac

import (
	"embed"
	"io/fs"
)

// The patterns name files, not folders: test data of the runtime stays outside.
//
//go:embed LICENSE runtime/*.go runtime/*/*.go
var sources embed.FS

// Sources returns the Go files of package runtime and of the packages in its folder, tests among them, and the licence. Names are paths in the
// module, such as runtime/batch.go. Package codegen/build compiles them into the programs that it builds.
func Sources() fs.FS { return sources }
