package cli

import (
	"strings"
	"testing"
)

func TestForUsers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want string }{
		"plain":            {"Reads `fqdn`.\nOf a client.\n", "Reads fqdn.\nOf a client."},
		"aside":            {"A client may use Basic (seen in other programs;\nnot confirmed).\n", "A client may use Basic."},
		"sentence":         {"Only this project. Seen in the JavaScript SDK only. Excludes `fqdn`.", "Only this project. Excludes fqdn."},
		"aside is kept":    {"Introspection (RFC 7662) of a token.", "Introspection (RFC 7662) of a token."},
		"aside within":     {"Whether keys rotate (for example at night) is not confirmed: try all. Good.", "Good."},
		"dot in a word":    {"Needs urn:globus:auth:scope:auth.globus.org:x. In conflict: the SDKs differ.", "Needs urn:globus:auth:scope:auth.globus.org:x."},
		"last of two":      {"One.\n\nTwo (not confirmed).\n\nPresumably three.", "One.\n\nTwo."},
		"end of paragraph": {"One. Seen in one program.\n\nTwo.", "One.\n\nTwo."},
		"list":             {"Kinds:\n\n  - `a`: one.\n  - `b`: two.\n\nEnd.", "Kinds:\n\n  - a: one.\n  - b: two.\n\nEnd."},
		"nothing left":     {"Presumably a client.", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := forUsers(c.text); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// The help is for users: it does not say on what evidence the spec rests.
func TestVerbs_HelpWithoutEvidence(t *testing.T) {
	t.Parallel()
	root := (&runner{getenv: func(string) string { return "" }}).root(nil)
	for _, v := range verbs() {
		command, _, err := root.Find(strings.Fields(v.use))
		if err != nil {
			t.Fatal(err)
		}
		text := words(command.Long + command.Flags().FlagUsages())
		for _, word := range []string{"confirmed", "conflict", "resumably", "een in", "SDK", "ecorded", "not known", "official", "this spec"} {
			if _, after, found := strings.Cut(text, word); found {
				t.Errorf("%s: %s%.40s", v.use, word, after)
			}
		}
	}
}
