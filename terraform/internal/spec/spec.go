// Package spec has the schemas of the API's objects, generated from the description in spec/.
package spec

// Field is a field of an object, or an object.
type Field struct {
	Name, Description string
	Type              string // of JSON Schema
	Format, Pattern   string
	Enum              []string
	Required          bool
	Nullable          bool    // null is a value of its own, not the same as absent
	Items             *Field  // of an array
	Fields            []Field // of an object
}

// Find returns the field of an object with a name.
func (f Field) Find(name string) (Field, bool) {
	for _, field := range f.Fields {
		if field.Name == name {
			return field, true
		}
	}
	return Field{}, false
}

// Clearable reports whether null can be told apart from absent: in the field, or in all fields
// of an object.
func (f Field) Clearable() bool {
	if f.Nullable || len(f.Fields) == 0 {
		return f.Nullable
	}
	for _, field := range f.Fields {
		if !field.Clearable() {
			return false
		}
	}
	return true
}
