package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// property is a field of a JSON object.
type property struct {
	name  string
	value json.RawMessage
}

// properties returns the fields of an object in their order, none for another value.
func properties(text json.RawMessage) []property {
	decoder := json.NewDecoder(bytes.NewReader(text))
	if start, err := decoder.Token(); err != nil || start != json.Delim('{') {
		return nil
	}
	var list []property
	for decoder.More() {
		name, err := decoder.Token()
		var value json.RawMessage
		if err != nil || decoder.Decode(&value) != nil {
			return nil
		}
		list = append(list, property{name.(string), value}) //nolint:forcetypeassert // the keys of an object
	}
	return list
}

// records returns the resources of a response: those in the list of its envelope, the one in its
// envelope, or the whole. Some responses have both a list and the first of it.
func records(document json.RawMessage) (list []json.RawMessage, several bool) {
	if json.Unmarshal(document, &list) == nil && list != nil {
		return list, true
	}
	var single []json.RawMessage
	for _, p := range properties(document) {
		var items []json.RawMessage
		switch {
		case p.name == "included":
		case json.Unmarshal(p.value, &items) == nil && items != nil && (len(items) == 0 || properties(items[0]) != nil):
			list = items
		case properties(p.value) != nil:
			single = append(single, p.value)
		default: // it has no envelope
			return []json.RawMessage{document}, false
		}
	}
	if list != nil {
		return list, true
	}
	return single, false
}

// maxDepth is how deep a table looks into a document. What is deeper is JSON.
const maxDepth = 4

// value adds a row for each value in a document, named by its path, such as "identity_set[0].username".
func (t *table) value(path string, value json.RawMessage, depth int) {
	var items []json.RawMessage
	list := properties(value)
	switch {
	case depth < maxDepth && list != nil:
		for _, p := range list {
			t.value(strings.TrimPrefix(path+"."+p.name, "."), p.value, depth+1)
		}
	case depth < maxDepth && json.Unmarshal(value, &items) == nil && len(items) > 0 && properties(items[0]) != nil:
		for i, item := range items {
			t.value(fmt.Sprintf("%s[%d]", path, i), item, depth)
		}
	default:
		t.row(path, text(value))
	}
}

// resourceRows is the table of a response: one row for each resource of a list, or one for each value
// of a single resource.
func resourceRows(document json.RawMessage, columns []string) table {
	items, several := records(document)
	if several && len(columns) > 0 {
		return columnRows(items, columns)
	}
	var rows table
	for _, item := range items {
		rows.value("", item, 0)
	}
	return rows
}

func columnRows(items []json.RawMessage, columns []string) table {
	var header []string
	for _, column := range columns {
		header = append(header, strings.ToUpper(strings.ReplaceAll(column, "_", " ")))
	}
	rows := table{header}
	for _, item := range items {
		cells := map[string]string{}
		for _, p := range properties(item) {
			cells[p.name] = text(p.value)
		}
		var row []string
		for _, column := range columns {
			row = append(row, cells[column])
		}
		rows.row(row...)
	}
	return rows
}

// text is a JSON value as a cell of a table.
func text(value json.RawMessage) string {
	var word string
	var list []string
	switch {
	case len(value) == 0 || string(value) == "null":
		return ""
	case json.Unmarshal(value, &word) == nil:
		return word
	case json.Unmarshal(value, &list) == nil:
		return strings.Join(list, ", ")
	}
	var compact bytes.Buffer
	if json.Compact(&compact, value) != nil {
		return string(value)
	}
	return compact.String()
}
