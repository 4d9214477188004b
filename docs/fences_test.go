package docs_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// fence is a fenced block of a document, also in a list or a quote.
type fence struct {
	line     int // of the opening fence, from 1
	language string
	before   string   // the last line with text before it
	code     []string // without the indentation of the fence
}

var opening = regexp.MustCompile("^((?:[ \t>]|[-*+] |\\d+[.)] )*)(`{3,}|~{3,})\\s*([\\w-]*)[^`]*$")

// fences returns the fenced blocks of a document, and the lines outside of them.
func fences(lines []string) (found []fence, prose []string) {
	prose = make([]string, len(lines))
	end, indentation, before := "", 0, ""
	for n, line := range lines {
		match := opening.FindStringSubmatch(line)
		switch {
		case end != "" && strings.HasPrefix(strings.TrimLeft(line, " \t>"), end) && strings.Trim(line, " \t>"+end[:1]) == "":
			end, before = "", ""
		case end != "":
			last := &found[len(found)-1]
			last.code = append(last.code, line[min(indentation, len(line)-len(strings.TrimLeft(line, " \t>"))):])
		case match != nil:
			end, indentation = match[2], len(match[1])
			found = append(found, fence{line: n + 1, language: match[3], before: before})
		default:
			prose[n] = line
			if text := strings.TrimSpace(line); text != "" {
				before = text
			}
		}
	}
	return found, prose
}

func TestFences_Places(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, document string
		want           fence
	}{
		{"top", "text\n\n```go\na\n\tb\n```\nmore", fence{3, "go", "text", []string{"a", "\tb"}}},
		{"in a list", "1. one:\n\n   ```console\n   $ a\n     b\n   ```\n\n2. two", fence{3, "console", "1. one:", []string{"$ a", "  b"}}},
		{"on the line of an item", "- ```sh\n  a\n  ```\n", fence{1, "sh", "", []string{"a"}}},
		{"in a quote", "> text\n> ~~~sh\n> a\n> ~~~\n", fence{2, "sh", "> text", []string{"a"}}},
		{"with an attribute", "``` go title=\"a\"\na\n```", fence{1, "go", "", []string{"a"}}},
		{"longer, with a shorter one inside", "````text\n```\na\n````\n", fence{1, "text", "", []string{"```", "a"}}},
		{"less indented code", "  ```text\na\n  ```\n", fence{1, "text", "", []string{"a"}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			found, prose := fences(strings.Split(test.document, "\n"))
			if len(found) != 1 {
				t.Fatalf("got %+v", found)
			}
			if got := found[0]; got.line != test.want.line || got.language != test.want.language || got.before != test.want.before || !slices.Equal(got.code, test.want.code) {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
			if text := strings.Join(prose, ""); strings.ContainsAny(text, "`~$") || strings.Contains(text, "a\n") {
				t.Errorf("the text is %q", text)
			}
		})
	}
	if found, prose := fences([]string{"```inline``` code", "text"}); found != nil || prose[0] == "" {
		t.Errorf("got %+v of a code span", found)
	}
}
