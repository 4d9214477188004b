package globusauth

import (
	"encoding"
	"errors"
	"reflect"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	jsonv1 "github.com/go-json-experiment/json/v1"
)

// maxOdd limits the fields that a warning names.
const maxOdd = 10

// lenient reads a document whose values have other types than the spec gives
// them. Such a value reads as null does: it leaves the zero value. A map leaves the
// key out.
type lenient struct {
	document reflect.Type
	odd      []string // the first fields of an unexpected type
	misfit   any      // the pointer to the last value of an unexpected type
}

// read is called for every value of the document before the decoder reads it.
func (l *lenient) read(dec *jsontext.Decoder, pointer any) error {
	value, kind := reflect.ValueOf(pointer).Elem(), dec.PeekKind()
	begin := jsontext.Kind(0)
	switch pointer.(type) {
	case json.Unmarshaler, encoding.TextUnmarshaler:
	default:
		begin = containerKind(value.Kind())
	}
	switch {
	case value.Kind() == reflect.Map && kind == begin:
		return l.readMap(dec, value)
	case value.Kind() == reflect.Interface, kind == 'n', kind == begin:
		return errors.ErrUnsupported // the decoder reads it and calls read for its elements
	}
	raw, err := dec.ReadValue()
	if err != nil || begin == 0 && json.Unmarshal(raw, pointer, jsonv1.DefaultOptionsV1(), jsonv1.ReportErrorsWithLegacySemantics(false)) == nil {
		return err
	}
	value.SetZero()
	l.misfit = pointer
	if len(l.odd) < maxOdd { // the pointer contains the keys of maps and can be long
		l.odd = append(l.odd, fieldPath(l.document, dec.StackPointer()))
	}
	return nil
}

// containerKind is how the JSON of a Go container begins, 0 for other types.
func containerKind(kind reflect.Kind) jsontext.Kind {
	switch kind { //nolint:exhaustive // no other type of package gen has elements
	case reflect.Struct, reflect.Map:
		return '{'
	case reflect.Slice:
		return '['
	}
	return 0
}

func (l *lenient) readMap(dec *jsontext.Decoder, object reflect.Value) error {
	_, err := dec.ReadToken()
	object.Set(reflect.MakeMap(object.Type()))
	for err == nil && dec.PeekKind() == '"' {
		name, _ := dec.ReadToken()
		key := reflect.ValueOf(name.String()).Convert(object.Type().Key())
		element := reflect.New(object.Type().Elem())
		err = json.UnmarshalDecode(dec, element.Interface())
		if l.misfit == element.Interface() {
			element = reflect.Zero(element.Type()) // deletes an earlier value of this key too
		}
		object.SetMapIndex(key, reflect.Indirect(element))
	}
	if err == nil {
		_, err = dec.ReadToken()
	}
	return err
}

// oneAudience reads an audience that is one string (RFC 7662 section 2.2).
func oneAudience(dec *jsontext.Decoder, list *[]string) error {
	if dec.PeekKind() != '"' || dec.StackDepth() != 1 || dec.StackPointer().LastToken() != "aud" {
		return errors.ErrUnsupported
	}
	token, err := dec.ReadToken()
	if err == nil {
		*list = []string{token.String()}
	}
	return err
}

// fieldPath is a JSON Pointer of names in the spec. It shows "*" for the keys of a
// map, which the service chooses.
func fieldPath(document reflect.Type, pointer jsontext.Pointer) string {
	var path strings.Builder
	for token := range pointer.Tokens() {
		switch document.Kind() { //nolint:exhaustive // no other kind has fields or elements
		case reflect.Struct:
			for field := range document.Fields() {
				if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); strings.EqualFold(name, token) {
					token, document = name, field.Type
					break
				}
			}
		case reflect.Slice:
			document = document.Elem()
		default:
			token, document = "*", document.Elem()
		}
		path.WriteString("/" + token)
	}
	return path.String()
}
