package main

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/alecthomas/kong"
)

// pairs reads one of the flags of the form KEY=VALUE that may be given once for each key, such as --field and --member. The parser's own reader keeps the last
// of several values of a key, and cuts a value at its semicolons.
func pairs(ctx *kong.DecodeContext, target reflect.Value) error {
	form := ctx.Value.Tag.PlaceHolder
	token, err := ctx.Scan.PopValue(form)
	if err != nil {
		return err
	}
	text, ok := token.Value.(string)
	if !ok {
		return fmt.Errorf("%v is not a text: give %s", token.Value, form)
	}
	key, value, ok := strings.Cut(text, "=")
	if !ok || key == "" || value == "" {
		return fmt.Errorf("%q is not of the form %s", text, form)
	}
	if target.IsNil() {
		target.Set(reflect.MakeMap(target.Type()))
	}
	if old := target.MapIndex(reflect.ValueOf(key)); old.IsValid() {
		return fmt.Errorf("%q is given twice, as %q and as %q: give it once", key, old.String(), value)
	}
	target.SetMapIndex(reflect.ValueOf(key), reflect.ValueOf(value))
	return nil
}
