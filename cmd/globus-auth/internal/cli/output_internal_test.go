package cli

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

func TestRecords_Envelopes(t *testing.T) {
	t.Parallel()
	for document, want := range map[string]struct {
		several bool
		items   []string
	}{
		`[1,2]`:                                {true, []string{`1`, `2`}},
		`{"projects":[{"id":"a"},{"id":"b"}]}`: {true, []string{`{"id":"a"}`, `{"id":"b"}`}},
		`{"projects":[]}`:                      {true, nil},
		`{"project":{"id":"a"}}`:               {false, []string{`{"id":"a"}`}},
		`{"client":{"id":"a"},"included":{}}`:  {false, []string{`{"id":"a"}`}},
		`{"scope":{"id":"a"},"scopes":[{"id":"a"},{"id":"b"}]}`: {true, []string{`{"id":"a"}`, `{"id":"b"}`}},
		`{"active":false}`:              {false, []string{`{"active":false}`}},
		`{"claims":["a"],"issuer":"x"}`: {false, []string{`{"claims":["a"],"issuer":"x"}`}},
		`{"set":[{}],"sub":"x"}`:        {false, []string{`{"set":[{}],"sub":"x"}`}},
	} {
		items, several := records(json.RawMessage(document))
		var got []string
		for _, item := range items {
			got = append(got, string(item))
		}
		if diff := cmp.Diff(want.items, got); diff != "" || several != want.several {
			t.Errorf("%s: several %v\n%s", document, several, diff)
		}
	}
}

// Every format prints only what a terminal shows, and YAML reads back as the value.
func TestPrint_Escapes(t *testing.T) {
	t.Parallel()
	const evil = "A\u009b31m\u202eB\x1b[2J\x7fé\U000e0001\u2028: #\ttab"
	document, err := json.Marshal(map[string]any{"things": []any{map[string]any{evil: evil, "true": "true", "n": 1.5, "lines": "a\nb\x1b"}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, format := range []string{"table", "json", "jsonl", "yaml", "csv"} {
		var out bytes.Buffer
		r := &runner{Streams: Streams{Out: &out}}
		rows := table{{"NAME"}, {evil}}
		if err := r.print(t.Context(), &output{format: &choice{value: format}}, json.RawMessage(document), rows); err != nil {
			t.Fatal(format, err)
		}
		for _, c := range out.String() {
			if c != '\n' && c != '\t' && !unicode.IsPrint(c) {
				t.Errorf("%s prints %q", format, out.String())
				break
			}
		}
		if format != "yaml" {
			continue
		}
		var got, want any
		if err := yaml.Unmarshal(out.Bytes(), &got); err != nil {
			t.Fatalf("%v\n%s", err, out.String())
		}
		if err := json.Unmarshal(document, &want); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
}

// A table without a header has its values below its names where they do not fit beside.
func TestTable_PairsFitTheTerminal(t *testing.T) {
	t.Parallel()
	rows := table{{"id", "c"}, {"identity_set[0].name", "Alice Adams"}}
	for columns, want := range map[int]string{
		60: "id                    c\nidentity_set[0].name  Alice Adams\n",
		25: "id  c\nidentity_set[0].name\n    Alice Adams\n",
	} {
		var out strings.Builder
		l := layout{columns, func(text string) string { return text }, func(string) string { return "BOLD" }}
		if err := l.print(&out, rows); err != nil || out.String() != want {
			t.Errorf("%d columns: %v\n%s", columns, err, out.String())
		}
	}
}

// A word that is longer than the line keeps no other meaning from standing beside its name.
func TestLayoutDefinitions_LongWord(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	layout{columns: 30}.definitions(&out, "", table{{"name", "Alice Adams"}, {"link", strings.Repeat("x", 40)}})
	if want := "name  Alice Adams\nlink  " + strings.Repeat("x", 40) + "\n"; out.String() != want {
		t.Errorf("got\n%s", out.String())
	}
}

// A table looks only so deep into a document, which may be nested as deep as a service likes.
func TestResourceRows_Depth(t *testing.T) {
	t.Parallel()
	rows := resourceRows(json.RawMessage(`{"project":{"a":{"b":{"c":{"d":{"e":[1]}}}},"l":[{"x":1},{"x":null}],"m":[1,2],"n":{}}}`), nil)
	want := table{{"a.b.c.d", `{"e":[1]}`}, {"l[0].x", "1"}, {"l[1].x", ""}, {"m", "[1,2]"}, {"n", "{}"}}
	if diff := cmp.Diff(want, rows); diff != "" {
		t.Error(diff)
	}
}

func TestTable_FitsTheTerminal(t *testing.T) {
	t.Parallel()
	rows := table{{"ID", "NAME", "DOMAINS"}, {"b0000000", "日本語の名前です", "example.edu, example.org"}, {"c", "-", "2026-01-02T03:04:05Z"}}
	for columns, want := range map[int]string{
		0:  "ID        NAME              DOMAINS\nb0000000  日本語の名前です  example.edu, example.org\nc         -                 in 47 h\n",
		40: "ID        NAME              DOMAINS\nb0000000  日本語の名前です  example.edu,\n                            example.org\nc         -                 in 47 h\n",
		39: "ID       b0000000\nNAME     日本語の名前です\nDOMAINS  example.edu, example.org\n\nID       c\nNAME     -\nDOMAINS  in 47 h\n",
		20: "ID  b0000000\nNAME\n    日本語の名前です\nDOMAINS\n    example.edu,\n    example.org\n\nID       c\nNAME     -\nDOMAINS  in 47 h\n",
	} {
		var out strings.Builder
		l := layout{columns, func(text string) string { return relative(text, time.Date(2025, 12, 31, 3, 5, 0, 0, time.UTC)) }, func(text string) string { return text }}
		if err := l.print(&out, rows); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, out.String()); diff != "" {
			t.Errorf("%d columns: %s", columns, diff)
		}
	}
}
