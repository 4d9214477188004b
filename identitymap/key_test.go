package identitymap_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/globusauth/globusauth/identitymap"
)

func TestKeys(t *testing.T) {
	t.Parallel()
	const canonical = "46bd0f56-e24f-11e5-a510-131bef46955c"
	for _, test := range []struct{ key, kind, sent string }{
		{canonical, "ids", canonical},
		{"46BD0F56-E24F-11E5-A510-131BEF46955C", "ids", canonical},
		{"alice@example.edu", "usernames", "alice@example.edu"},
		{"Alice@Example.EDU", "usernames", "alice@example.edu"},
		{"a b+c%d&e=f#g/h?@example.edu", "usernames", "a b+c%d&e=f#g/h?@example.edu"},
		{canonical + "@clients.auth.globus.org", "usernames", canonical + "@clients.auth.globus.org"},
		{"ÉMILE@example.edu", "usernames", "Émile@example.edu"},
		{"\u212aelvin@example.edu", "usernames", "\u212aelvin@example.edu"}, // the Kelvin sign is not k
		{"a@b@example.edu", "usernames", "a@b@example.edu"},
	} {
		t.Run(test.key, func(t *testing.T) {
			t.Parallel()
			s := newService()
			_, err := s.newMap(t, identitymap.Config{}).Get(t.Context(), test.key)
			if !errors.Is(err, identitymap.ErrNotFound) {
				t.Errorf("error %v, want ErrNotFound", err)
			}
			log := s.log()
			if len(log) != 1 || log[0].kind != test.kind || !slices.Equal(log[0].keys, []string{test.sent}) {
				t.Errorf("asked %+v, want %s %q", log, test.kind, test.sent)
			}
		})
	}
}

func TestKeysThatNameNobody(t *testing.T) {
	t.Parallel()
	s := newService(person(1, "alice@example.edu"))
	m := s.newMap(t, identitymap.Config{})
	for key, reason := range map[string]string{
		"":                                       "neither an identity ID",
		"alice":                                  "neither an identity ID",
		"@example.edu":                           "neither an identity ID",
		"alice@":                                 "neither an identity ID",
		"{46bd0f56-e24f-11e5-a510-131bef46955c}": "neither an identity ID",
		"urn:uuid:46bd0f56-e24f-11e5-a510-131bef46955c": "neither an identity ID",
		"46bd0f56e24f11e5a510131bef46955c":              "neither an identity ID",
		"46bd0f56-e24f-11e5-a510-131bef46955g":          "neither an identity ID",
		"46bd0f56-e24f-11e5-a510_131bef46955c":          "neither an identity ID",
		"alice@example.edu,bob@example.edu":             "comma",
		"alice@example.edu\n":                           "control character",
		"ali\x00ce@example.edu":                         "control character",
		"ali\xffce@example.edu":                         "UTF-8",
		strings.Repeat("a", 1100) + "@example.edu":      "longer than",
	} {
		who, err := m.Get(t.Context(), key)
		if !errors.Is(err, identitymap.ErrNotFound) || !strings.Contains(err.Error(), reason) {
			t.Errorf("%q: error %v, want ErrNotFound with %q", key, err, reason)
		}
		if err != nil && (!isLine(err.Error()) || len(err.Error()) > 250) {
			t.Errorf("%q: the error is not one short line: %q", key, err)
		}
		if who != (identitymap.Identity{}) {
			t.Errorf("%q: got %+v", key, who)
		}
		if m.Add(key) {
			t.Errorf("%q was added", key)
		}
		m.Delete(key)
		// One such key does not cost the others their answer.
		results, err := m.GetMany(t.Context(), []string{key, "alice@example.edu"})
		if err != nil || results["alice@example.edu"].Identity.ID != id(1) || !errors.Is(results[key].Err, identitymap.ErrNotFound) {
			t.Errorf("%q: GetMany %+v, %v", key, results, err)
		}
	}
	for _, r := range s.log() {
		if !slices.Equal(r.keys, []string{"alice@example.edu"}) {
			t.Errorf("asked %q", r.keys)
		}
	}
}

// isLine says whether a text is one line that can be shown.
func isLine(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, unicode.IsControl)
}

// FuzzKeys: whatever the key, the service is asked for it and nothing else, or
// not at all.
func FuzzKeys(f *testing.F) {
	for _, seed := range []string{
		"", "alice@example.edu", "ALICE@example.edu", "alice", "a,b@example.edu", "46BD0F56-E24F-11E5-A510-131BEF46955C", "a&ids=b@example.edu",
		"a%2Cb@example.edu", "\u212a@example.edu", "\xff@example.edu", "a\x00@b", strings.Repeat("\u00e9", 500) + "@example.edu",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s := newService()
		m := s.newMap(t, identitymap.Config{})
		_, err := m.Get(t.Context(), text)
		if !errors.Is(err, identitymap.ErrNotFound) {
			t.Fatalf("error %v", err)
		}
		if !isLine(err.Error()) {
			t.Errorf("error %q", err)
		}
		again, _ := m.GetMany(t.Context(), []string{text, strings.ToUpper(text)})
		if r, ok := again[text]; !ok || !errors.Is(r.Err, identitymap.ErrNotFound) {
			t.Errorf("%+v", again)
		}
		for i, r := range s.log() {
			if len(r.keys) != 1 || r.kind != "ids" && r.kind != "usernames" || r.urlLength > 6300 {
				t.Fatalf("request %+v", r)
			}
			if i == 0 && !strings.EqualFold(r.keys[0], text) {
				t.Errorf("asked for %q", r.keys)
			}
		}
	})
}
