package cli

import (
	"regexp"
	"strings"
	"sync"
)

// The spec says how certain it is of a fact (spec/README.md, "Conventions"). This is for those who maintain it.
var (
	evidence = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`(?i)\b(confirmed|in conflict|presumably|seen in|sdks?|recorded|not known|live document|envelope|more values may come)\b`)
	})
	aside  = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\s*\([^()]*\)`) })
	period = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`(?s).+?(?:\.\s+|$)`) })
)

// forUsers is a text of the spec without marks, and without the sentences and asides that are evidence.
func forUsers(text string) string {
	drop := func(part string) string {
		if evidence().MatchString(part) {
			return ""
		}
		return part
	}
	var kept []string
	for paragraph := range strings.SplitSeq(strings.ReplaceAll(text, "`", ""), "\n\n") {
		paragraph = period().ReplaceAllStringFunc(aside().ReplaceAllStringFunc(paragraph, drop), drop)
		if paragraph = strings.TrimRight(paragraph, " \n"); paragraph != "" {
			kept = append(kept, paragraph)
		}
	}
	return strings.Join(kept, "\n\n")
}
