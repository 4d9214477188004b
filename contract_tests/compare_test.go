package contract_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"mime"
	"net/url"
	"reflect"
	"slices"
	"strings"
)

// mismatch is one difference between our request and the recorded one.
type mismatch struct {
	aspect   string // "query all", "Accept", "body /client/links"
	recorded string
	ours     string
}

const absent = "absent"

func (m mismatch) String() string {
	return fmt.Sprintf("%s: recorded %s, ours %s", m.aspect, m.recorded, m.ours)
}

// compare returns the differences in meaning between a request and a recorded one.
// What was not recorded is not compared.
func compare(rec record, x exchange) []mismatch {
	var found []mismatch
	differ := func(aspect, recorded, ours string) {
		if recorded != ours {
			found = append(found, mismatch{aspect, recorded, ours})
		}
	}
	differ("method", rec.method, x.request.Method)
	differ("path", rec.path, x.request.URL.Path)
	if rec.query != nil {
		found = append(found, compareValues("query ", rec.query, x.request.URL.Query())...)
	}
	if rec.headers != nil {
		if accept := x.request.Header.Get("Accept"); rec.headers.Get("Accept") != "*/*" {
			differ("Accept", rec.headers.Get("Accept"), accept)
		}
		differ("Authorization", orAbsent(rec.headers.Get("Authorization")), orAbsent(x.request.Header.Get("Authorization")))
		differ("Content-Type", mediaType(rec.headers.Get("Content-Type")), mediaType(x.request.Header.Get("Content-Type")))
	}
	switch rec.body.kind {
	case bodyUnknown:
	case bodyNone:
		differ("body", "", string(x.requestBody))
	case bodyForm:
		form, err := url.ParseQuery(string(x.requestBody))
		if err != nil {
			differ("body", "a form", err.Error())
		}
		found = append(found, compareValues("form ", rec.body.form, form)...)
	case bodyJSON:
		var ours any
		if err := json.Unmarshal(x.requestBody, &ours); err != nil {
			differ("body", "JSON", err.Error())
		}
		found = append(found, compareJSON("", rec.body.json, ours)...)
	}
	return found
}

func orAbsent(text string) string {
	if text == "" {
		return absent
	}
	return text
}

func mediaType(header string) string {
	if header == "" {
		return absent
	}
	parsed, _, err := mime.ParseMediaType(header)
	if err != nil {
		return header
	}
	return parsed
}

func compareValues(kind string, recorded, ours url.Values) []mismatch {
	var found []mismatch
	for _, name := range union(recorded, ours) {
		if !slices.Equal(recorded[name], ours[name]) {
			found = append(found, mismatch{kind + name, valuesText(recorded, name), valuesText(ours, name)})
		}
	}
	return found
}

func valuesText(values url.Values, name string) string {
	if _, ok := values[name]; !ok {
		return absent
	}
	return strings.Join(values[name], " and ")
}

func union[V any](a, b map[string]V) []string {
	return slices.Sorted(maps.Keys(unite(a, b)))
}

func unite[V any](a, b map[string]V) map[string]V {
	all := maps.Clone(a)
	if all == nil {
		all = map[string]V{}
	}
	maps.Copy(all, b)
	return all
}

// compareJSON distinguishes absent, null and empty.
func compareJSON(pointer string, recorded, ours any) []mismatch {
	recordedObject, ok := recorded.(map[string]any)
	oursObject, ok2 := ours.(map[string]any)
	if !ok || !ok2 {
		if reflect.DeepEqual(recorded, ours) {
			return nil
		}
		return []mismatch{{"body " + pointer, jsonText(recorded), jsonText(ours)}}
	}
	var found []mismatch
	for _, name := range union(recordedObject, oursObject) {
		at := pointer + "/" + name
		a, inRecorded := recordedObject[name]
		b, inOurs := oursObject[name]
		switch {
		case !inRecorded:
			found = append(found, mismatch{"body " + at, absent, jsonText(b)})
		case !inOurs:
			found = append(found, mismatch{"body " + at, jsonText(a), absent})
		default:
			found = append(found, compareJSON(at, a, b)...)
		}
	}
	return found
}

func jsonText(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		return err.Error()
	}
	return string(text)
}
