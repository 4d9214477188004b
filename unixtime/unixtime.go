// Package unixtime reads and writes times that are a number of seconds since the
// Unix epoch in JSON, the NumericDate of RFC 7519 section 2: exp, iat and nbf of
// an ID token or an introspection, last_authentication, auth_time.
//
// Globus services send integers and now and then floats; absent and null both
// mean "no time". [Seconds] is a lifetime, as expires_in.
//
//	var answer struct {
//		Expiry unixtime.Time `json:"exp,omitzero"`
//	}
//
// [Time] works under encoding/json and under packages that honour its
// interfaces.
package unixtime

import (
	"errors"
	"math"
	"strconv"
	"time"
)

// The first and the last second that a [Time] reads or writes: years 1 to 9999.
// The very first second of year 1 is Go's zero time, which means "no time".
const (
	minSeconds = -62135596799
	maxSeconds = 253402300799
)

// Time is a time whose JSON form is a number of seconds since the Unix epoch.
// Its zero value is "no time": it is read from null or from nothing, is written
// as null, and is left out under the JSON option omitzero. 0 in JSON is the
// epoch itself, not the zero value.
type Time struct{ time.Time }

// UnmarshalJSON reads a JSON number, with a fraction or an exponent or without,
// or null. The result is in UTC and has microseconds; what is finer is cut off.
// Anything else, numbers in strings included, is an error, and so are times
// outside the years 1 to 9999.
func (t *Time) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		t.Time = time.Time{}
		return nil
	}
	seconds, microseconds, err := parse(data)
	if err != nil {
		return err
	}
	t.Time = time.Unix(seconds, microseconds*int64(time.Microsecond)).UTC()
	return nil
}

// MarshalJSON writes the number of seconds, with up to six decimals if the time
// is not a whole second, and null for the zero value. A time outside the years 1
// to 9999 is an error.
func (t Time) MarshalJSON() ([]byte, error) {
	if t.IsZero() {
		return []byte("null"), nil
	}
	seconds, microseconds := t.Unix(), int64(t.Nanosecond())/int64(time.Microsecond)
	if seconds < minSeconds || seconds > maxSeconds {
		return nil, errRange()
	}
	buffer := make([]byte, 0, 24)
	if seconds < 0 && microseconds > 0 {
		// Seconds were rounded down: -1.5 is stored as -2 s and +0.5 s.
		seconds, microseconds = seconds+1, 1_000_000-microseconds
		if seconds == 0 {
			buffer = append(buffer, '-')
		}
	}
	buffer = strconv.AppendInt(buffer, seconds, 10)
	if microseconds == 0 {
		return buffer, nil
	}
	buffer = append(buffer, '.')
	for unit := int64(100_000); microseconds > 0; unit /= 10 {
		buffer = append(buffer, byte('0'+microseconds/unit)) //nolint:gosec // one decimal digit
		microseconds %= unit
	}
	return buffer, nil
}

// Seconds is a whole number of seconds, such as expires_in of a token response (RFC
// 6749 section 5.1). Its zero value is none.
type Seconds int64

// UnmarshalJSON reads a JSON number in any spelling, a string of digits, or null. A
// fraction is cut off. Anything else is an error, and so is what exceeds the
// years that [Time] reads.
func (s *Seconds) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		*s = 0
		return nil
	}
	number := data
	if n := len(data); n > 2 && data[0] == '"' && data[n-1] == '"' {
		number = data[1 : n-1]
		for _, c := range number {
			if !isDigit(c) {
				return errSyntax(data)
			}
		}
	}
	seconds, _, err := parse(number)
	if err != nil {
		return err
	}
	*s = Seconds(seconds)
	return nil
}

// parse reads a JSON number (RFC 8259 section 6). Plain decimals are read digit
// by digit, since a float64 would lose microseconds; those with an exponent,
// which nobody is known to send, take the way through one.
func parse(data []byte) (seconds, microseconds int64, err error) {
	digits, negative := data, false
	if len(digits) > 0 && digits[0] == '-' {
		digits, negative = digits[1:], true
	}
	whole := 0
	for whole < len(digits) && isDigit(digits[whole]) {
		if seconds <= maxSeconds {
			seconds = seconds*10 + int64(digits[whole]-'0')
		}
		whole++
	}
	if whole == 0 || whole > 1 && digits[0] == '0' {
		return 0, 0, errSyntax(data)
	}
	rest := digits[whole:]
	if len(rest) > 0 && rest[0] == '.' {
		fraction := 1
		for unit := int64(100_000); fraction < len(rest) && isDigit(rest[fraction]); unit /= 10 {
			microseconds += int64(rest[fraction]-'0') * unit
			fraction++
		}
		if fraction == 1 {
			return 0, 0, errSyntax(data)
		}
		rest = rest[fraction:]
	}
	if len(rest) > 0 {
		return parseExponent(data, rest)
	}
	if negative {
		seconds, microseconds = -seconds, -microseconds
	}
	if seconds < minSeconds || seconds > maxSeconds || seconds == minSeconds && microseconds < 0 {
		return 0, 0, errRange()
	}
	return seconds, microseconds, nil
}

// parseExponent checks that rest is an exponent and reads the whole number.
func parseExponent(data, rest []byte) (seconds, microseconds int64, err error) {
	exponent := rest[1:]
	if len(exponent) > 0 && (exponent[0] == '+' || exponent[0] == '-') {
		exponent = exponent[1:]
	}
	if rest[0] != 'e' && rest[0] != 'E' || len(exponent) == 0 {
		return 0, 0, errSyntax(data)
	}
	for _, c := range exponent {
		if !isDigit(c) {
			return 0, 0, errSyntax(data)
		}
	}
	value, err := strconv.ParseFloat(string(data), 64)
	if err != nil || value < minSeconds || value > maxSeconds {
		return 0, 0, errRange()
	}
	seconds = int64(value)
	return seconds, int64(math.Round((value - float64(seconds)) * 1e6)), nil
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// errSyntax names the kind of value, not the value, which could be anything.
func errSyntax(data []byte) error {
	found := "something else"
	if len(data) > 0 {
		switch data[0] {
		case '"':
			found = "a string"
		case '{':
			found = "an object"
		case '[':
			found = "a list"
		case 't', 'f':
			found = "a boolean"
		}
	}
	return errors.New("unixtime: want a number of seconds since the Unix epoch or null, found " + found)
}

func errRange() error {
	return errors.New("unixtime: the number of seconds is outside the years 1 to 9999")
}
