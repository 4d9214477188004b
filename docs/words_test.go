package docs_test

import (
	"go/scanner"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// replaced are words for which readers know a better one: response, return, respond;
// field, parameter; space; no caller, a user; test double, emulator; lifetime; fix; used.
var replaced = regexp.MustCompile(`(?i)\b(answer(s|ed|ing)?|members?|blanks?|nobody|somebody|whoever|doubles?|life|lives|mend(s|ed|ing)?|spent)\b`)

// usual are texts in which these words have their usual meaning.
var usual = regexp.MustCompile(`(?i)test.doubles?\b|double.quotes?|blank (lines?|import)|nobody@|^"(nobody|member)"$|` +
	`(group|role).*member|member.*(group|role)|\bmembers[:,]`)

func replacedWord(text string) string {
	if word := replaced.FindString(text); word != "" && replaced.MatchString(usual.ReplaceAllString(text, "")) {
		return word
	}
	return ""
}

// TestWords_Standard checks the words in comments, strings and documents.
func TestWords_Standard(t *testing.T) {
	t.Parallel()
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		name, kind := entry.Name(), filepath.Ext(path)
		switch {
		case err != nil:
			return err
		case entry.IsDir() && slices.Contains([]string{".git", "node_modules", "testdata", "api"}, name):
			return fs.SkipDir
		case entry.IsDir() || strings.Contains(name, ".gen.") || name == "words_test.go" || !slices.Contains([]string{".go", ".md", ".yaml", ".tmpl", ".mjs", ".html", ".tf"}, kind):
			return nil
		}
		source, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if kind != ".go" {
			for n, line := range slices.All(strings.Split(string(source), "\n")) {
				if word := replacedWord(line); word != "" {
					t.Errorf("%s:%d: write another word for %q", path, n+1, word)
				}
			}
			return nil
		}
		var code scanner.Scanner
		file := token.NewFileSet().AddFile(path, -1, len(source))
		code.Init(file, source, nil, scanner.ScanComments)
		for pos, kind, text := code.Scan(); kind != token.EOF; pos, kind, text = code.Scan() {
			if kind != token.COMMENT && kind != token.STRING {
				continue
			}
			if word := replacedWord(text); word != "" {
				t.Errorf("%s:%d: write another word for %q", path, file.Line(pos), word)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
