// Package uuid knows the form of the IDs that Globus uses.
package uuid

// Valid reports whether text is a UUID in the form of RFC 9562 section 4: with its
// dashes and nothing around it, in either letter case.
func Valid(text string) bool {
	if len(text) != 36 {
		return false
	}
	for i, c := range []byte(text) {
		dash, digit := i == 8 || i == 13 || i == 18 || i == 23, c-'0' < 10 || (c|0x20)-'a' < 6 // bytes wrap around
		if dash && c != '-' || !dash && !digit {
			return false
		}
	}
	return true
}
