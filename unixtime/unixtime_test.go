package unixtime_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	jsonv1 "github.com/go-json-experiment/json/v1"

	"github.com/globusauth/globusauth/internal/bench"
	"github.com/globusauth/globusauth/unixtime"
)

func TestTimeUnmarshalJSON(t *testing.T) {
	t.Parallel()
	at := func(seconds, microseconds int64) time.Time {
		return time.Unix(seconds, microseconds*1000).UTC()
	}
	tests := []struct {
		in   string
		want time.Time
	}{
		{"1700000000", at(1_700_000_000, 0)},
		{"0", at(0, 0)},
		{"-0", at(0, 0)},
		{"-1", at(-1, 0)},
		{"1700000000.0", at(1_700_000_000, 0)},
		{"1700000000.5", at(1_700_000_000, 500_000)},
		{"1700000000.123456", at(1_700_000_000, 123_456)},
		{"1700000000.123456789", at(1_700_000_000, 123_457)},
		{"1700000000.000001", at(1_700_000_000, 1)},
		{"-1.5", at(-2, 500_000)},
		{"-0.5", at(-1, 500_000)},
		{"1.7e9", at(1_700_000_000, 0)},
		{"1.7E+9", at(1_700_000_000, 0)},
		{"17000000005e-1", at(1_700_000_000, 500_000)},
		{"1.700000000123456e9", at(1_700_000_000, 123_456)},
		{"1.700000000100000e9", at(1_700_000_000, 100_000)},
		{"-15e-1", at(-2, 500_000)},
		{"0e99999", at(0, 0)},
		{"253402300799", at(253402300799, 0)},
		{"253402300799.5", at(253402300799, 500_000)},
		{"-62135596799", at(-62135596799, 0)},
		{"null", time.Time{}},
	}
	for _, test := range tests {
		var got unixtime.Time
		if err := got.UnmarshalJSON([]byte(test.in)); err != nil {
			t.Errorf("%s: %v", test.in, err)
			continue
		}
		if !got.Equal(test.want) || got.IsZero() != (test.in == "null") {
			t.Errorf("%s: got %v, want %v", test.in, got, test.want)
		}
		if got.Location() != time.UTC {
			t.Errorf("%s: in zone %v, want UTC", test.in, got.Location())
		}
	}
}

func TestTimeUnmarshalJSON_Errors(t *testing.T) {
	t.Parallel()
	const (
		notNumber  = "unixtime: want a number of seconds since the Unix epoch or null, found "
		outOfRange = "unixtime: the number of seconds is outside the years 1 to 9999"
	)
	tests := []struct{ in, want string }{
		{`"1700000000"`, notNumber + "a string"},
		{`{"a":1}`, notNumber + "an object"},
		{`[1]`, notNumber + "a list"},
		{`true`, notNumber + "a boolean"},
		{`false`, notNumber + "a boolean"},
		{``, notNumber + "something else"},
		{`-`, notNumber + "something else"},
		{`+1`, notNumber + "something else"},
		{`01`, notNumber + "something else"},
		{`-01`, notNumber + "something else"},
		{`1.`, notNumber + "something else"},
		{`.5`, notNumber + "something else"},
		{`1e`, notNumber + "something else"},
		{`1e+`, notNumber + "something else"},
		{`1e5.5`, notNumber + "something else"},
		{`1.5x`, notNumber + "something else"},
		{`1 `, notNumber + "something else"},
		{`1_000`, notNumber + "something else"},
		{`0x10`, notNumber + "something else"},
		{`NaN`, notNumber + "something else"},
		{`Infinity`, notNumber + "something else"},
		{`-Inf`, notNumber + "something else"},
		{`253402300800`, outOfRange},
		{`-62135596800`, outOfRange},
		{`-62135596799.5`, outOfRange},
		{`1700000000000`, outOfRange},
		{`9223372036854775808`, outOfRange},
		{strings.Repeat("9", 1000), outOfRange},
		{`1e300`, outOfRange},
		{`-1e300`, outOfRange},
		{`1e400`, outOfRange},
	}
	for _, test := range tests {
		before := time.Unix(1, 0)
		got := unixtime.Time{Time: before}
		err := got.UnmarshalJSON([]byte(test.in))
		if err == nil || err.Error() != test.want {
			t.Errorf("%s: error %v, want %s", test.in, err, test.want)
		}
		if !got.Equal(before) {
			t.Errorf("%s: an error changed the time to %v", test.in, got)
		}
	}
}

func TestTimeMarshalJSON(t *testing.T) {
	t.Parallel()
	tests := []struct {
		in   time.Time
		want string
	}{
		{time.Time{}, "null"},
		{time.Unix(0, 0), "0"},
		{time.Unix(1_700_000_000, 0), "1700000000"},
		{time.Unix(1_700_000_000, 999), "1700000000"},
		{time.Unix(1_700_000_000, 123_456_789), "1700000000.123456"},
		{time.Unix(1_700_000_000, 500_000_000), "1700000000.5"},
		{time.Unix(1_700_000_000, 1_000), "1700000000.000001"},
		{time.Unix(1_700_000_000, 100_000), "1700000000.0001"},
		{time.Unix(-1, 0), "-1"},
		{time.Unix(-1, 500_000_000), "-0.5"},
		{time.Unix(-2, 500_000_000), "-1.5"},
		{time.Unix(-2, 999_999_000), "-1.000001"},
		{time.Date(2026, 11, 23, 19, 0, 0, 0, time.FixedZone("", 3600)), "1795456800"},
		{time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), "253402300799"},
	}
	for _, test := range tests {
		got, err := json.Marshal(unixtime.Time{Time: test.in})
		if err != nil || string(got) != test.want {
			t.Errorf("%v: got %s, %v; want %s", test.in, got, err, test.want)
		}
	}
	for _, in := range []time.Time{
		time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Unix(math.MaxInt32*1e6, 0),
	} {
		if got, err := (unixtime.Time{Time: in}).MarshalJSON(); err == nil || !strings.Contains(err.Error(), "outside the years") {
			t.Errorf("%v: got %s, %v; want an error about its range", in, got, err)
		}
	}
}

// document uses a time in every kind of field.
type document struct {
	Expiry    unixtime.Time            `json:"exp"`
	NotBefore unixtime.Time            `json:"nbf,omitzero"`
	Seen      *unixtime.Time           `json:"seen,omitempty"`
	List      []unixtime.Time          `json:"list,omitempty"`
	Map       map[string]unixtime.Time `json:"map,omitempty"`
}

func TestTime_BothJSONPackages(t *testing.T) {
	t.Parallel()
	packages := map[string]struct {
		unmarshal func([]byte, any) error
		marshal   func(any) ([]byte, error)
	}{
		"encoding/json":               {json.Unmarshal, json.Marshal},
		"go-json-experiment/json, v1": {func(b []byte, v any) error { return jsonv1.Unmarshal(b, v) }, func(v any) ([]byte, error) { return jsonv1.Marshal(v) }},
	}
	tests := []struct{ in, out string }{
		{`{"exp":1700000000}`, `{"exp":1700000000}`},
		{`{}`, `{"exp":null}`},
		{`{"exp":null,"nbf":null,"seen":null}`, `{"exp":null}`},
		{
			`{"exp": 1.5 ,"nbf":0,"seen":7.0,"list":[1,null],"map":{"a":2e0}}`,
			`{"exp":1.5,"nbf":0,"seen":7,"list":[1,null],"map":{"a":2}}`,
		},
	}
	for name, p := range packages {
		for _, test := range tests {
			var d document
			if err := p.unmarshal([]byte(test.in), &d); err != nil {
				t.Errorf("%s: %s: %v", name, test.in, err)
				continue
			}
			out, err := p.marshal(d)
			if err != nil || string(out) != test.out {
				t.Errorf("%s: %s became %s, %v; want %s", name, test.in, out, err, test.out)
			}
		}
		var d document
		err := p.unmarshal([]byte(`{"exp":"tomorrow"}`), &d)
		if err == nil || !strings.Contains(err.Error(), "found a string") || strings.Contains(err.Error(), "tomorrow") {
			t.Errorf("%s: error %v, want one that names the kind and not the string", name, err)
		}
		d = document{Expiry: unixtime.Time{Time: time.Unix(1, 0)}}
		if err := p.unmarshal([]byte(`{"exp":null}`), &d); err != nil || !d.Expiry.IsZero() {
			t.Errorf("%s: null left %v, %v; want no time", name, d.Expiry, err)
		}
	}
}

func TestSecondsUnmarshalJSON(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]unixtime.Seconds{
		"172800": 172800, "172800.0": 172800, "1.728e5": 172800, "1728E+2": 172800, `"172800"`: 172800, "100.5": 100, "100.999999": 100,
		"0": 0, "-1": -1, "-0.5": 0, "null": 0, "253402300799": 253402300799,
	} {
		got := unixtime.Seconds(7)
		if err := json.Unmarshal([]byte(in), &got); err != nil || got != want {
			t.Errorf("%s: got %d, %v; want %d", in, got, err, want)
		}
	}
	for _, in := range []string{`""`, `"soon"`, `"1e5"`, `"-1"`, `" 1"`, `"1.5"`, `"\u0031"`, `"9223372036854775807"`, "9223372036854775807", "1e400", "true", "{}", "[1]"} {
		var got unixtime.Seconds
		if err := json.Unmarshal([]byte(in), &got); err == nil || got != 0 {
			t.Errorf("%s: got %d, %v; want an error", in, got, err)
		}
	}
}

func TestTimeUnmarshalJSON_AllocatesNothing(t *testing.T) { //nolint:paralleltest // AllocsPerRun counts for the whole process
	for _, in := range []string{"1700000000", "1700000000.123456", "null"} {
		data := []byte(in)
		var got unixtime.Time
		if n := testing.AllocsPerRun(100, func() {
			if err := got.UnmarshalJSON(data); err != nil {
				t.Error(err)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations, want none", in, n)
		}
	}
}

func FuzzTime(f *testing.F) {
	for _, seed := range []string{
		"1700000000", "1700000000.123456", "-1.5", "0", "-0.000001", "1.7e9", "null", `"1"`, "1e400", "253402300799.9999999",
		`0""`, "-62135596799.9", "-62135596799.0000000001", "253402300799.9e0", "9007199254740993", "01", "1.", "{}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var whole unixtime.Seconds
		if whole.UnmarshalJSON(data) == nil && !json.Valid(data) {
			t.Errorf("%q was accepted as seconds but is not JSON", data)
		}
		var got unixtime.Time
		if err := got.UnmarshalJSON(data); err != nil {
			if len(err.Error()) > 120 {
				t.Errorf("long error: %v", err)
			}
			return
		}
		if !json.Valid(data) {
			t.Fatalf("%q was accepted but is not JSON", data)
		}
		out, err := got.MarshalJSON()
		if err != nil {
			t.Fatalf("%q was read as %v and cannot be written: %v", data, got, err)
		}
		var again unixtime.Time
		precision := time.Duration(0)
		if seconds := got.Unix(); seconds < -1<<33 || seconds >= 1<<33 {
			precision = 40 * time.Microsecond
		}
		if err := again.UnmarshalJSON(out); err != nil || again.Sub(got.Time).Abs() > precision || again.IsZero() != got.IsZero() {
			t.Errorf("%q was read as %v, written as %s and read as %v, %v", data, got, out, again, err)
		}
		var float *float64
		if err := json.Unmarshal(data, &float); err != nil {
			t.Fatalf("%q was accepted but is not a number: %v", data, err)
		}
		if float == nil {
			if !got.IsZero() {
				t.Errorf("null was read as %v", got)
			}
			return
		}
		// A float64 of the largest times is exact to 31 microseconds.
		seconds := float64(got.Unix()) + float64(got.Nanosecond())/1e9
		if math.Abs(seconds-*float) > 4e-5 {
			t.Errorf("%q was read as %v, %f s", data, got, seconds)
		}
	})
}

// BenchmarkUnmarshal decodes a time, compared with encoding/json decoding the same number (floor).
func BenchmarkUnmarshal(b *testing.B) {
	for _, in := range []string{"1700000000", "1700000000.123456"} {
		data := []byte(in)
		b.Run(in, func(b *testing.B) {
			var got unixtime.Time
			var number float64
			bench.CPU(b, bench.Case{Name: "floor", Run: func() {
				if err := json.Unmarshal(data, &number); err != nil {
					b.Fatal(err)
				}
			}}, bench.Case{Name: "unixtime", Run: func() {
				if err := got.UnmarshalJSON(data); err != nil {
					b.Fatal(err)
				}
			}})
		})
	}
}
