package contract_test

import (
	"fmt"
	"regexp"
	"slices"
	"testing"
)

// difference is an intended mismatch, with its reason. It must occur in every record
// that it names.
type difference struct {
	records  *regexp.Regexp
	mismatch mismatch
	reason   string
}

// replay makes our request for every record and compares. It fails for a record
// without a call, a call without a record, a mismatch that is not listed, and a
// listed mismatch that does not occur.
func replay(t *testing.T, records []record, calls map[string]call, meant []difference) {
	t.Helper()
	seen := map[string]bool{}
	for _, rec := range records {
		if seen[rec.label] {
			t.Errorf("two records are called %q", rec.label)
		}
		seen[rec.label] = true
		t.Run(rec.label, func(t *testing.T) {
			t.Parallel()
			reason, not := notOffered[rec.label]
			call, ok := calls[rec.label]
			switch {
			case not && ok:
				t.Fatalf("the record has a call, but is in notOffered: %s", reason)
			case not:
				return
			case !ok:
				t.Fatal("no call for this record")
			}
			w := newMocked(t, rec)
			if err := call(w); err != nil {
				t.Fatalf("call: %v", err)
			}
			for _, problem := range judge(rec, w.exchanges, meant) {
				t.Error(problem)
			}
		})
	}
	for label := range calls {
		if !seen[label] {
			t.Errorf("no record %q: remove the call", label)
		}
	}
	for _, d := range meant {
		if d.reason == "" {
			t.Errorf("the difference %s has no reason", d.mismatch)
		}
		if !slices.ContainsFunc(records, func(r record) bool { return d.records.MatchString(r.label) }) {
			t.Errorf("the difference for %s names no record", d.records)
		}
	}
}

// judge returns the problems of the requests that were sent for a record.
func judge(rec record, exchanges []exchange, meant []difference) []string {
	var problems []string
	var found []mismatch
	switch {
	case rec.refused && len(exchanges) > 0:
		found = append(found, mismatch{"requests", "none", exchanges[0].request.Method + " " + exchanges[0].request.URL.Path})
	case rec.refused:
	case len(exchanges) != 1:
		return append(problems, fmt.Sprintf("%d requests were sent, want one", len(exchanges)))
	default:
		found = compare(rec, exchanges[0])
	}
	var expected []mismatch
	for _, d := range meant {
		if d.records.MatchString(rec.label) {
			expected = append(expected, d.mismatch)
		}
	}
	for _, m := range found {
		if !slices.Contains(expected, m) {
			problems = append(problems, m.String())
		}
	}
	for _, m := range expected {
		if !slices.Contains(found, m) {
			problems = append(problems, "listed as a difference, but does not occur: "+m.String())
		}
	}
	for _, x := range exchanges {
		problems = append(problems, commonProblems(x)...)
		problems = append(problems, conforms(rec.label, x)...)
	}
	return problems
}
