package identitymap_test

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/globusauth/globusauth/gen"
	"github.com/globusauth/globusauth/identitymap"
)

func TestMapGet_KeyForms(t *testing.T) {
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
		// A to Z from end to end, and nothing next to them.
		{"A@b.edu", "usernames", "a@b.edu"},
		{"Z@b.edu", "usernames", "z@b.edu"},
		{"MAZ@[az`{.edu", "usernames", "maz@[az`{.edu"},
		{"46bd0f56-e24f-11e5-A510-131bef46955c", "ids", "46bd0f56-e24f-11e5-a510-131bef46955c"},
		{"46bd0f56-e24f-11e5-a510-131beF469099", "ids", "46bd0f56-e24f-11e5-a510-131bef469099"},
		{"46bd0f56-e24f-11e5-@510-131bef46955c", "usernames", "46bd0f56-e24f-11e5-@510-131bef46955c"},
	} {
		t.Run(test.key, func(t *testing.T) {
			t.Parallel()
			s := newService()
			_, err := s.newMap(t, identitymap.Config{}).Get(t.Context(), test.key)
			if !errors.Is(err, identitymap.ErrNoIdentity) {
				t.Errorf("error %v, want ErrNoIdentity", err)
			}
			log := s.log()
			if len(log) != 1 || log[0].kind != test.kind || !slices.Equal(log[0].keys, []string{test.sent}) {
				t.Errorf("asked %+v, want %s %q", log, test.kind, test.sent)
			}
		})
	}
}

func TestMapGet_InvalidKeys(t *testing.T) {
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
		"46bd0f56-e24f-11e5-`510-131bef46955c":          "neither an identity ID",
		"46bd0f56-e24f-11e5-a510-131beG46955c":          "neither an identity ID",
		"46bd0f56-e24f-11e5-a510-131be/46955c":          "neither an identity ID",
		"46bd0f56-e24f-11e5-a510-131be:46955c":          "neither an identity ID",
		"alice@example.edu,bob@example.edu":             "comma",
		"alice@example.edu\n":                           "control character",
		"ali\x00ce@example.edu":                         "control character",
		"ali\xffce@example.edu":                         "UTF-8",
		strings.Repeat("a", 1100) + "@example.edu":      "longer than",
	} {
		who, err := m.Get(t.Context(), key)
		if !errors.Is(err, identitymap.ErrNoIdentity) || !strings.Contains(err.Error(), reason) {
			t.Errorf("%q: error %v, want ErrNoIdentity with %q", key, err, reason)
		}
		if err != nil && (!isLine(err.Error()) || len(err.Error()) > 250) {
			t.Errorf("%q: the error is not one short line: %q", key, err)
		}
		if who != (gen.Identity{}) {
			t.Errorf("%q: got %+v", key, who)
		}
		if m.Add(key) {
			t.Errorf("%q was added", key)
		}
		m.Delete(key)
		// The other keys of the request have results.
		results, err := m.GetMany(t.Context(), []string{key, "alice@example.edu"})
		if err != nil || results["alice@example.edu"].Identity.ID != id(1) || !errors.Is(results[key].Err, identitymap.ErrNoIdentity) {
			t.Errorf("%q: GetMany %+v, %v", key, results, err)
		}
	}
	for _, r := range s.log() {
		if !slices.Equal(r.keys, []string{"alice@example.edu"}) {
			t.Errorf("asked %q", r.keys)
		}
	}
}

func TestMapGet_ControlCharacters(t *testing.T) {
	t.Parallel()
	s := newService()
	m := s.newMap(t, identitymap.Config{})
	for n := range 0x80 {
		c := string(rune(n))
		if !unicode.IsControl(rune(n)) {
			continue
		}
		for _, key := range []string{c + "alice@example.edu", "ali" + c + "ce@example.edu", "alice@example.edu" + c} {
			if _, err := m.Get(t.Context(), key); !errors.Is(err, identitymap.ErrNoIdentity) || !strings.Contains(err.Error(), "control character") {
				t.Errorf("%q: error %v", key, err)
			}
		}
	}
	if log := s.log(); len(log) != 0 {
		t.Errorf("asked %+v", log)
	}
}

// fill says how many keys each request takes: 6,000 bytes, as they stand in the
// URL and with their commas.
func fill(keys []string) []int {
	var sizes []int
	length := 6000
	for _, key := range keys {
		more := len(url.QueryEscape(key)) + len("%2C")
		if length+more > 6000 {
			sizes, length = append(sizes, 0), 0
		}
		sizes[len(sizes)-1]++
		length += more
	}
	return sizes
}

// TestMapGetMany_LongKeysFillRequests with keys that take more room in a URL than others.
func TestMapGetMany_LongKeysFillRequests(t *testing.T) {
	t.Parallel()
	keys := map[string][]string{"IDs": nil, "short": nil, "to the last byte": nil, "one byte too long": nil, "mixed": nil}
	for n := range 900 {
		keys["IDs"] = append(keys["IDs"], id(n))
		keys["short"] = append(keys["short"], strconv.Itoa(n)+"@b")
		keys["to the last byte"] = append(keys["to the last byte"], fmt.Sprintf("%029d@b.edu", n))  // 40 bytes, 150 times
		keys["one byte too long"] = append(keys["one byte too long"], fmt.Sprintf("%06d@b.edu", n)) // 17 bytes, 353 times
	}
	for _, c := range "%&#/+'~ ?=;:._-\"<{\u00e9\u212a\U0001f600" {
		for n := range 100 {
			key := fmt.Sprintf("%s%d@example.edu", strings.Repeat(string(c), n%40), n)
			keys[string(c)] = append(keys[string(c)], key)
			keys["mixed"] = append(keys["mixed"], strconv.Itoa(int(c))+key)
		}
	}
	for title, keys := range keys {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			s := newService()
			m := s.newMap(t, identitymap.Config{BatchSize: 1000, Concurrency: 1})
			if _, err := m.GetMany(t.Context(), keys); err != nil {
				t.Fatal(err)
			}
			checkRequests(t, s, 1000)
			var sizes []int
			for _, r := range s.log() {
				sizes = append(sizes, len(r.keys))
			}
			if want := fill(keys); !slices.Equal(sizes, want) {
				t.Errorf("requests of %v keys, want %v", sizes, want)
			}
		})
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
		if !errors.Is(err, identitymap.ErrNoIdentity) {
			t.Fatalf("error %v", err)
		}
		if !isLine(err.Error()) {
			t.Errorf("error %q", err)
		}
		sent := len(s.log())
		upper := strings.ToUpper(text) // which makes valid UTF-8 of what was none
		again, _ := m.GetMany(t.Context(), []string{text, upper})
		if r, ok := again[text]; !ok || !errors.Is(r.Err, identitymap.ErrNoIdentity) {
			t.Errorf("%+v", again)
		}
		for i, r := range s.log() {
			if len(r.keys) != 1 || r.kind != "ids" && r.kind != "usernames" || r.urlLength > 6300 {
				t.Fatalf("request %+v", r)
			}
			if !strings.EqualFold(r.keys[0], text) && (i < sent || !strings.EqualFold(r.keys[0], upper)) {
				t.Errorf("asked for %q", r.keys)
			}
		}
	})
}
