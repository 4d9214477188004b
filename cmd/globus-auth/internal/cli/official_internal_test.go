package cli

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// The page for users of the official client has a row for each counterpart and each variable.
func TestCounterparts_OnPage(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../../../docs/from-globus-cli.md")
	if err != nil {
		t.Fatal(err)
	}
	root := (&runner{getenv: func(string) string { return "" }}).root(nil)
	rows := regexp.MustCompile("(?m)^\\| `globus ([^`]+)`").FindAllStringSubmatch(string(page), -1)
	for _, c := range counterparts {
		found := c.typed == "api * * *" // another service than Globus Auth
		for _, row := range rows {
			words, flags := typedWords(root, strings.Fields(row[1]))
			found = found || c.fits(words, flags)
		}
		if !found {
			t.Errorf("no row for %q", c.typed)
		}
	}
	for _, variable := range officialVariables {
		if !strings.Contains(string(page), "| `"+variable[0]+"` | `"+variable[1]+"` |") {
			t.Errorf("no row for %q", variable)
		}
	}
}
