// Package unixtime reads and writes times that are a number of seconds since the
// Unix epoch in JSON, the NumericDate of RFC 7519 section 2: exp, iat and nbf of
// an ID token or an introspection, last_authentication, auth_time.
//
// Globus services send integers and sometimes floats; absent and null both
// mean "no time". [Seconds] is a lifetime, such as expires_in.
//
//	var response struct {
//		Expiry unixtime.Time `json:"exp,omitzero"`
//	}
package unixtime

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
)

// The first and the last second that a [Time] reads or writes: years 1 to 9999.
// The first second of year 1 is Go's zero time, which means "no time".
const (
	minSeconds = -62135596799
	maxSeconds = 253402300799
)

// Time is a time whose JSON form is a number of seconds since the Unix epoch,
// exact to the microsecond until the year 2242. The zero value is "no time": it is
// read from null, is written as null, and is left out with the JSON option
// omitzero. 0 in JSON is the epoch, not the zero value.
type Time struct{ time.Time }

// UnmarshalJSON reads a JSON number or null. The result is in UTC and rounded to
// microseconds. Anything else is an error, also a number in a string and a time
// outside the years 1 to 9999.
func (t *Time) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		t.Time = time.Time{}
		return nil
	}
	seconds, err := parse(data)
	if err != nil {
		return err
	}
	t.Time = time.UnixMicro(int64(math.Round(seconds * 1e6))).UTC()
	return nil
}

// MarshalJSON writes the number of seconds with up to six decimals, and null for
// the zero value. A time outside the years 1 to 9999 is an error.
func (t Time) MarshalJSON() ([]byte, error) {
	switch seconds := t.Unix(); {
	case t.IsZero():
		return []byte("null"), nil
	case seconds < minSeconds || seconds > maxSeconds:
		return nil, errRange()
	}
	return strconv.AppendFloat(make([]byte, 0, 24), float64(t.UnixMicro())/1e6, 'f', -1, 64), nil
}

// Seconds is a whole number of seconds, such as expires_in of a token response (RFC
// 6749 section 5.1). Its zero value means no number.
type Seconds int64

// UnmarshalJSON reads a JSON number, a string of digits, or null. It truncates a
// fraction. Anything else is an error, and so is a number outside the range of
// [Time].
func (s *Seconds) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		*s = 0
		return nil
	}
	if text := string(data); len(text) > 2 && text[0] == '"' && strings.Trim(text[1:], "0123456789") == `"` {
		data = data[1 : len(data)-1]
	}
	seconds, err := parse(data)
	if err != nil {
		return err
	}
	*s = Seconds(seconds)
	return nil
}

// parse reads a JSON number (RFC 8259 section 6). An error names the kind of
// another value, not the value, which can be anything.
func parse(data []byte) (float64, error) {
	found := "something else"
	digits := len(data) > 0 && data[0] != '0' && len(bytes.Trim(data, "0123456789")) == 0 // needs no slow json.Valid
	switch {
	case !digits && !json.Valid(data):
	case data[0] == '"':
		found = "a string"
	case data[0] == '{':
		found = "an object"
	case data[0] == '[':
		found = "a list"
	case data[0] == 't', data[0] == 'f':
		found = "a boolean"
	default:
		seconds, err := strconv.ParseFloat(string(data), 64)
		switch {
		case errors.Is(err, strconv.ErrRange), err == nil && (seconds < minSeconds || seconds >= maxSeconds+1):
			return 0, errRange()
		case err == nil:
			return seconds, nil
		}
	}
	return 0, errors.New("unixtime: want a number of seconds since the Unix epoch or null, found " + found)
}

func errRange() error {
	return errors.New("unixtime: the number of seconds is outside the years 1 to 9999")
}
