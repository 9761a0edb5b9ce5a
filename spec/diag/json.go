package diag

import (
	"encoding/json"
	"errors"
	"fmt"
)

// JSON describes why a JSON text was refused, without the names of Go types that encoding/json puts into its errors.
func JSON(err error) string {
	var kind *json.UnmarshalTypeError
	if !errors.As(err, &kind) {
		return err.Error()
	}
	if kind.Field == "" {
		return fmt.Sprintf("it must not be a JSON %s", kind.Value)
	}
	return fmt.Sprintf("%s must not be a JSON %s", kind.Field, kind.Value)
}
