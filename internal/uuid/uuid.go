// Package uuid knows the form of the IDs that Globus uses.
package uuid

// Valid reports whether text is a UUID in the form of RFC 9562 section 4: with its
// dashes and nothing around it, in either letter case.
func Valid(text string) bool {
	if len(text) != 36 {
		return false
	}
	for i, c := range []byte(text) {
		switch {
		case i == 8 || i == 13 || i == 18 || i == 23:
			if c != '-' {
				return false
			}
		case c-'0' > 9 && (c|0x20)-'a' > 5: // bytes wrap around
			return false
		}
	}
	return true
}
