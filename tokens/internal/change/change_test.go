package change_test

import (
	"strings"
	"testing"

	"github.com/globusauth/globusauth/tokens"
	"github.com/globusauth/globusauth/tokens/internal/change"
)

// set makes a set of tokens from text such as "a=1 b=2": access tokens by resource server.
func set(t *testing.T, text string) tokens.Set {
	t.Helper()
	var list []tokens.Token
	for field := range strings.FieldsSeq(text) {
		server, access, _ := strings.Cut(field, "=")
		list = append(list, tokens.Token{ResourceServer: server, AccessToken: access})
	}
	made, err := tokens.NewSet(list...)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func TestOn(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		current, before, after, want string
		whole                        bool
	}{
		"unchanged":                   {"a=1", "a=1", "a=2", "a=2", true},
		"of nothing":                  {"", "", "a=1", "a=1", true},
		"another server was changed":  {"a=1 b=9", "a=1 b=1", "a=2 b=1", "a=2 b=9", true},
		"another server was added":    {"a=1 b=9", "a=1", "a=2", "a=2 b=9", true},
		"another server was removed":  {"a=1", "a=1 b=1", "a=2 b=1", "a=2", true},
		"the same was changed":        {"a=9", "a=1", "a=2", "a=9", false},
		"the same was removed":        {"", "a=1", "a=2", "", false},
		"the same was added":          {"a=9", "", "a=2", "a=9", false},
		"one of two was changed":      {"a=1 b=9", "a=1 b=1", "a=2 b=2", "a=2 b=9", false},
		"made already":                {"a=2", "a=1", "a=2", "a=2", true},
		"removal":                     {"a=1 b=9", "a=1", "", "b=9", true},
		"removal of what was changed": {"a=9", "a=1", "", "a=9", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, whole := change.On(set(t, test.current), set(t, test.before), set(t, test.after), false)
			if !got.Equal(set(t, test.want)) || whole != test.whole || got.Problems() != nil {
				t.Errorf("%v, whole %t; want %s, %t", got, whole, test.want, test.whole)
			}
		})
	}
}

func TestOn_All(t *testing.T) {
	t.Parallel()
	got, whole := change.On(set(t, "a=9 b=9 c=9"), set(t, "a=1 b=1 c=1"), set(t, "a=2 c=1 d=2"), true)
	if want := set(t, "a=2 c=9 d=2"); !got.Equal(want) || !whole {
		t.Errorf("%v, whole %t; want %v", got, whole, want)
	}
}
