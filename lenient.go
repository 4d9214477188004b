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

// maxOdd is how many fields of an unexpected type are named.
const maxOdd = 10

// lenient reads a document in which values have types that the spec does not
// give them. What does not fit reads as absent: a field keeps its zero value, and a
// list of texts or a map does without the element. A list of documents keeps an empty
// one, since "there is none" would be another statement.
type lenient struct {
	document reflect.Type
	odd      []string // the fields that did not fit, the first few
	misfit   any      // the pointer to the value that did not fit last
}

// read is called for every value of the document before it is read.
func (l *lenient) read(dec *jsontext.Decoder, pointer any) error {
	value := reflect.ValueOf(pointer).Elem()
	kind, want := dec.PeekKind(), value.Kind()
	switch {
	case isScalar(pointer, want):
		raw, err := dec.ReadValue()
		if err == nil && json.Unmarshal(raw, pointer, jsonv1.DefaultOptionsV1()) != nil {
			l.drop(dec, value)
		}
		return err
	case want == reflect.Interface || kind == 'n' || kind == '{' && want == reflect.Struct:
		return errors.ErrUnsupported // the decoder reads it, and asks for what is in it
	case kind == '[' && want == reflect.Slice:
		return l.list(dec, value)
	case kind == '{' && want == reflect.Map:
		return l.object(dec, value)
	}
	err := dec.SkipValue()
	if err == nil {
		l.drop(dec, value)
	}
	return err
}

// drop notes that the value just read does not fit.
func (l *lenient) drop(dec *jsontext.Decoder, value reflect.Value) {
	value.SetZero()
	l.misfit = value.Addr().Interface()
	// The pointer holds the names of all maps on the way, so that it can be long.
	if len(l.odd) < maxOdd {
		l.odd = append(l.odd, fieldPath(l.document, dec.StackPointer()))
	}
}

func (l *lenient) list(dec *jsontext.Decoder, list reflect.Value) error {
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	list.Set(reflect.MakeSlice(list.Type(), 0, 0))
	for dec.PeekKind() != ']' {
		element, fits, err := l.element(dec, list.Type().Elem())
		if err != nil {
			return err
		}
		if fits || element.Kind() == reflect.Struct {
			list.Set(reflect.Append(list, element))
		}
	}
	_, err := dec.ReadToken()
	return err
}

func (l *lenient) object(dec *jsontext.Decoder, object reflect.Value) error {
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	object.Set(reflect.MakeMap(object.Type()))
	for dec.PeekKind() != '}' {
		name, err := dec.ReadToken()
		if err != nil {
			return err
		}
		key := reflect.ValueOf(name.String()).Convert(object.Type().Key())
		element, fits, err := l.element(dec, object.Type().Elem())
		if err != nil {
			return err
		}
		if fits {
			object.SetMapIndex(key, element)
		} else {
			object.SetMapIndex(key, reflect.Value{}) // of two values for a name the last counts
		}
	}
	_, err := dec.ReadToken()
	return err
}

func (l *lenient) element(dec *jsontext.Decoder, want reflect.Type) (element reflect.Value, fits bool, err error) {
	pointer := reflect.New(want)
	err = json.UnmarshalDecode(dec, pointer.Interface())
	return pointer.Elem(), l.misfit != pointer.Interface(), err
}

// isScalar reports whether a value is read as a whole.
func isScalar(pointer any, kind reflect.Kind) bool {
	switch pointer.(type) {
	case json.Unmarshaler, encoding.TextUnmarshaler:
		return true
	}
	switch kind { //nolint:exhaustive // what else there is has elements
	case reflect.Struct, reflect.Map, reflect.Slice, reflect.Interface:
		return false
	}
	return true
}

// oneAudience reads an audience that is one text (RFC 7662 section 2.2).
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

// fieldPath is a JSON Pointer of names that the spec has. The names of a map are
// the service's, may be anything and are not shown.
func fieldPath(document reflect.Type, pointer jsontext.Pointer) string {
	var path strings.Builder
	for token := range pointer.Tokens() {
		switch document.Kind() {
		case reflect.Struct:
			field, ok := document.FieldByNameFunc(func(name string) bool {
				field, _ := document.FieldByName(name)
				tag, _, _ := strings.Cut(field.Tag.Get("json"), ",")
				return strings.EqualFold(tag, token)
			})
			if !ok {
				return path.String() + "/*"
			}
			token, _, _ = strings.Cut(field.Tag.Get("json"), ",")
			document = field.Type
		case reflect.Slice:
			document = document.Elem()
		case reflect.Map:
			token, document = "*", document.Elem()
		default:
			return path.String() + "/*"
		}
		path.WriteString("/" + token)
	}
	return path.String()
}
