package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// sourceComment names the file that a block of Go code is taken from.
var sourceComment = regexp.MustCompile(`^<!-- source: (\S+) -->$`)

// occurs reports whether the lines of a document follow one another in a source.
// Neither indentation nor empty lines count. A line "..." matches any lines. The
// document may omit three lines that handle an error.
func occurs(code, source []string) bool {
	code, source = trimmed(code), trimmed(source)
	for start := range source {
		if len(code) > 0 && follows(code, source[start:]) {
			return true
		}
	}
	return false
}

func follows(code, source []string) bool {
	switch {
	case len(code) == 0:
		return true
	case code[0] == "...":
		for skipped := range len(source) + 1 {
			if follows(code[1:], source[skipped:]) {
				return true
			}
		}
		return false
	case len(source) == 0:
		return false
	case code[0] == source[0]:
		return follows(code[1:], source[1:])
	}
	return len(source) > 3 && source[0] == "if err != nil {" && source[2] == "}" && follows(code, source[3:])
}

func trimmed(lines []string) []string {
	var kept []string
	for _, line := range lines {
		if line = strings.TrimSpace(line); line != "" {
			kept = append(kept, line)
		}
	}
	return kept
}

// Code in the documents is from a file that is compiled and tested.
func TestDocuments_CodeIsCompiled(t *testing.T) {
	t.Parallel()
	seen := 0
	for _, name := range documents(t) {
		found, _ := fences(readLines(t, name))
		for _, block := range found {
			if block.language != "go" {
				continue
			}
			seen++
			match := sourceComment.FindStringSubmatch(block.before)
			if match == nil {
				t.Errorf("%s:%d: no comment <!-- source: FILE --> before the code", name, block.line)
				continue
			}
			if !occurs(block.code, readLines(t, match[1])) {
				t.Errorf("%s:%d: the code is not in %s", name, block.line, match[1])
			}
		}
	}
	if seen < 10 {
		t.Errorf("only %d blocks of code found", seen)
	}
}

func TestOccurs(t *testing.T) {
	t.Parallel()
	source := strings.Split("\ta := one()\n\n\tif err != nil {\n\t\treturn err\n\t}\n\tb := two()\n\tc := three()\n", "\n")
	for _, test := range []struct {
		code string
		want bool
	}{
		{"a := one()", true},
		{"a := one()\n    b := two()", true},
		{"a := one()\nif err != nil {\n\treturn err\n}\nb := two()", true},
		{"a := one()\n...\nc := three()", true},
		{"a := one()\nc := three()", false},
		{"b := two()\na := one()", false},
		{"a := one()\nb := 2", false},
		{"...", true},
		{"", false},
	} {
		if got := occurs(strings.Split(test.code, "\n"), source); got != test.want {
			t.Errorf("%q: got %v, want %v", test.code, got, test.want)
		}
	}
}

var (
	// link is a link of a document to a file of the project.
	link       = regexp.MustCompile(`\]\(([^)#:\s]+)(#[^)]*)?\)`)
	inlineCode = regexp.MustCompile("`[^`\n]+`")
)

func TestDocuments_LinksExist(t *testing.T) {
	t.Parallel()
	var documents []string
	for _, pattern := range []string{"*.md", "*/*.md", "../*.md"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		documents = append(documents, found...)
	}
	seen := 0
	for _, name := range documents {
		document, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		text := inlineCode.ReplaceAllString(string(document), "")
		for _, match := range link.FindAllStringSubmatch(text, -1) {
			seen++
			if _, err := os.Stat(filepath.Join(filepath.Dir(name), filepath.FromSlash(match[1]))); err != nil {
				t.Errorf("%s: %s does not exist", name, match[1])
			}
		}
	}
	if seen < 20 {
		t.Errorf("only %d links found", seen)
	}
}
