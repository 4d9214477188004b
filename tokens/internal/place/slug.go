package place

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

// reserved are names that Windows keeps for devices.
var reserved = regexp.MustCompile(`^(con|prn|aux|nul|com[0-9]|lpt[0-9])$`)

// slug makes the directory name that the official Python SDK makes of an app's
// name.
func slug(appName string) (string, error) {
	name := strings.Map(func(r rune) rune {
		switch {
		case strings.ContainsRune(`<>:"/\|?*`, r):
			return '+'
		case r == '.', r == ' ':
			return '-'
		case !unicode.IsPrint(r), r == unicode.ReplacementChar:
			return -1
		}
		return r
	}, appName)
	// Python lowers this one letter to two code points, Go to one.
	name = strings.ToLower(strings.ReplaceAll(name, "\u0130", "i\u0307"))
	if name == "" {
		return "", errors.New("the app name leaves nothing for a file name: choose another")
	}
	if reserved.MatchString(name) {
		return "", fmt.Errorf("the app name makes the file name %q, which Windows reserves: choose another", name)
	}
	return name, nil
}
