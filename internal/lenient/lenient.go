// Package lenient decodes JSON in which values may have another type than Go gives them.
package lenient

import (
	"errors"
	"reflect"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Values reads a value as null does if it has another type than its Go type. The options are
// those with which values are decoded. odd is called behind each such value, and may return an
// error.
func Values(odd func(dec *jsontext.Decoder) error, options ...json.Options) *json.Unmarshalers {
	containers := map[reflect.Kind]jsontext.Kind{reflect.Struct: '{', reflect.Map: '{', reflect.Slice: '['} // no other type in use has elements
	// It is called for every value before the decoder reads it.
	return json.UnmarshalFromFunc(func(dec *jsontext.Decoder, pointer any) error {
		value := reflect.ValueOf(pointer).Elem()
		container := containers[value.Kind()]
		if _, custom := pointer.(json.Unmarshaler); custom {
			container = 0
		}
		if kind := dec.PeekKind(); kind == container || value.Kind() == reflect.Interface {
			return errors.ErrUnsupported // the decoder reads it, and calls this function for its elements
		}
		raw, err := dec.ReadValue()
		if err != nil || json.Unmarshal(raw, pointer, options...) == nil {
			return err
		}
		value.SetZero()
		return odd(dec)
	})
}
