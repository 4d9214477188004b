package scopes_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/globusauth/globusauth/scopes"
)

func TestParse_Errors(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text   string
		kind   error
		offset int
		reason string
	}{
		{"foo*", scopes.ErrSyntax, 3, "'*' directly after a scope"},
		{"foo*bar", scopes.ErrSyntax, 3, "'*' directly after a scope"},
		{"foo *", scopes.ErrSyntax, 5, "the end of the text where a scope must begin"},
		{"* foo", scopes.ErrSyntax, 1, "' ' where a scope must begin"},
		{"**foo", scopes.ErrSyntax, 1, "'*' where a scope must begin"},
		{"a *[b]", scopes.ErrSyntax, 3, "'[' where a scope must begin"},
		{"a[*]", scopes.ErrSyntax, 3, "']' where a scope must begin"},
		{"foo [bar]", scopes.ErrSyntax, 4, "'[' where a scope must begin"},
		{"[foo]", scopes.ErrSyntax, 0, "'[' where a scope must begin"},
		{"foo[[bar]]", scopes.ErrSyntax, 4, "'[' where a scope must begin"},
		{"foo[ [bar]]", scopes.ErrSyntax, 5, "'[' where a scope must begin"},
		{"foo[]", scopes.ErrSyntax, 4, "']' where a scope must begin"},
		{"foo[  ]", scopes.ErrSyntax, 6, "']' where a scope must begin"},
		{"a foo[bar", scopes.ErrSyntax, 5, "'[' is never closed"},
		{"a[b[c] d", scopes.ErrSyntax, 1, "'[' is never closed"},
		{"foo]", scopes.ErrSyntax, 3, "']' where a scope must begin"},
		{"foo[bar]baz", scopes.ErrSyntax, 8, "'b' directly after a scope"},
		{"foo[bar]*baz", scopes.ErrSyntax, 8, "'*' directly after a scope"},
		{"foo[bar][baz]", scopes.ErrSyntax, 8, "'[' directly after a scope"},
		{"foo[bar]\u00a0baz", scopes.ErrSyntax, 8, "byte 0xc2, which is not ASCII, directly after a scope"},
		{"foo[bar[baz", scopes.ErrSyntax, 7, "'[' is never closed"},
		{"foo\tbar", scopes.ErrSyntax, 3, `'\t' directly after a scope; separate scopes with spaces`},
		{"foo\r\n", scopes.ErrSyntax, 3, `'\r' directly after a scope`},
		{"foo bar\x00", scopes.ErrSyntax, 7, `'\x00' directly after a scope`},
		{"*\x7f", scopes.ErrSyntax, 1, `'\x7f' where a scope must begin`},
		{`"foo"`, scopes.ErrSyntax, 0, `'"' cannot be part of a scope`},
		{`foo\bar`, scopes.ErrSyntax, 3, `'\\' directly after a scope`},
		{"foo\u00a0bar", scopes.ErrSyntax, 3, "byte 0xc2, which is not ASCII, directly after a scope"},
		{"foo,bar \xff", scopes.ErrSyntax, 8, "byte 0xff, which is not ASCII, where a scope must begin"},
		{"a[a]", scopes.ErrCycle, 2, "the cycle is a[a]; remove one"},
		{"x a[b[*c[a]]]", scopes.ErrCycle, 9, "the cycle is a[b[c[a]]]; remove one"},
		{"a[b] b[a]", scopes.ErrCycle, 7, "the cycle is a[b[a]]; remove one"},
		{"z[a[b]] b[a]", scopes.ErrCycle, 4, "the cycle is b[a[b]]; remove one"},
		{"a[b[c[d[e[f[a]]]]]]", scopes.ErrCycle, 12, "the cycle is a[b[c[d[e[f[a]]]]]]; remove one"},
	}
	for _, test := range tests {
		_, err := scopes.Parse(test.text)
		problem, ok := errors.AsType[*scopes.ParseError](err)
		if !ok {
			t.Errorf("Parse(%q): error %v, want a *ParseError", test.text, err)
			continue
		}
		if !errors.Is(err, test.kind) || !errors.Is(problem.Kind, test.kind) {
			t.Errorf("Parse(%q): %v, want kind %v", test.text, err, test.kind)
		}
		if problem.Offset != test.offset || problem.Element != -1 {
			t.Errorf("Parse(%q): offset %d, element %d, want %d, -1", test.text, problem.Offset, problem.Element, test.offset)
		}
		if !strings.HasPrefix(problem.Reason, test.reason) {
			t.Errorf("Parse(%q): reason %q, want %q", test.text, problem.Reason, test.reason)
		}
		if message := err.Error(); !strings.HasPrefix(message, "scopes: parse: ") || !strings.Contains(message, problem.Reason) ||
			strings.ContainsAny(message, "\n\r\t\x00") {
			t.Errorf("Parse(%q): message %q", test.text, message)
		}
	}
}

func TestParseErrorError_Text(t *testing.T) {
	t.Parallel()
	_, err := scopes.Parse("openid foo[bar")
	const parse = "scopes: parse: not a scope string: byte 10: '[' is never closed; add the missing ']'"
	if err == nil || err.Error() != parse {
		t.Errorf("got  %v\nwant %s", err, parse)
	}
	err = scopes.List{"openid", "a[b[a]]"}.Validate()
	const list = `scopes: list element 1 ("a[b[a]]"): a scope depends on itself: byte 4: ` +
		"the cycle is a[b[a]]; remove one of these dependencies"
	if err == nil || err.Error() != list {
		t.Errorf("got  %v\nwant %s", err, list)
	}
}

// A mistake in hostile text must not carry the text into a log.
func TestParseErrorError_StaysShort(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 100_000)
	tests := []scopes.List{
		{scopes.Scope(long + "*")},
		{scopes.Scope(long).With(scopes.Scope(long))},
		{scopes.Scope("a").With(scopes.Scope(long)), scopes.Scope(long).With("a")},
		{"a", scopes.Scope(long + " ")},
	}
	for i, list := range tests {
		err := list.Validate()
		if err == nil {
			t.Errorf("case %d is valid", i)
		} else if len(err.Error()) > 600 {
			t.Errorf("case %d: message of %d bytes", i, len(err.Error()))
		}
	}
}

func TestListGraph_Errors(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		list    scopes.List
		kind    error
		element int
		offset  int
		reason  string
	}{
		{"empty element", scopes.List{"openid", ""}, scopes.ErrSyntax, 1, 0, "the end of the text where a scope must begin"},
		{"space element", scopes.List{" "}, scopes.ErrSyntax, 0, 0, "' ' where a scope must begin"},
		{"space before", scopes.List{" openid"}, scopes.ErrSyntax, 0, 0, "' ' where a scope must begin"},
		{"space after", scopes.List{"openid "}, scopes.ErrSyntax, 0, 6, "' ' after the scope; each element"},
		{"two scopes", scopes.List{"email", "openid *profile"}, scopes.ErrSyntax, 1, 6, "' ' after the scope; each element"},
		{"same scope twice", scopes.List{"email email"}, scopes.ErrSyntax, 0, 5, "' ' after the scope; each element"},
		{"open bracket", scopes.List{"a[b", "c]"}, scopes.ErrSyntax, 0, 1, "'[' is never closed"},
		{"closing bracket", scopes.List{"b", "c]"}, scopes.ErrSyntax, 1, 1, "']' after the scope; each element"},
		{"cycle across elements", scopes.List{"a[b]", "x", "b[c[a]]"}, scopes.ErrCycle, 2, 4, "the cycle is a[b[c[a]]]"},
		{"injected scope", scopes.List{scopes.Scope("a").With("b] evil[c")}, scopes.ErrSyntax, 0, 2, `'"' cannot be part of a scope; if you did not write it`},
		{"no dependency name", scopes.List{scopes.Scope("a").With("b", "")}, scopes.ErrSyntax, 0, 4, `'"' cannot be part`},
		{"two dependencies in one", scopes.List{scopes.Scope("a").With("b c")}, scopes.ErrSyntax, 0, 2, `'"' cannot be part`},
		{"dependencies that close and open", scopes.List{scopes.Scope("a").With("b[c", "d]")}, scopes.ErrSyntax, 0, 2, `'"' cannot be part`},
		{"dependency below another", scopes.List{scopes.Scope("a").With(scopes.Scope("b").With("c] *evil[d"))}, scopes.ErrSyntax, 0, 4, `'"' cannot be part`},
		{"space before a dependency", scopes.List{scopes.Scope("a").With(" b")}, scopes.ErrSyntax, 0, 2, `'"' cannot be part`},
	}
	for _, test := range tests {
		err := test.list.Validate()
		problem, ok := errors.AsType[*scopes.ParseError](err)
		if !ok {
			t.Errorf("%s: error %v, want a *ParseError", test.name, err)
			continue
		}
		if !errors.Is(err, test.kind) || problem.Element != test.element || problem.Offset != test.offset ||
			!strings.HasPrefix(problem.Reason, test.reason) {
			t.Errorf("%s: %+v", test.name, problem)
		}
		if _, mergeErr := scopes.Merge(test.list[:1], test.list[1:]); mergeErr == nil || mergeErr.Error() != err.Error() {
			t.Errorf("%s: Merge says %v, Validate %v", test.name, mergeErr, err)
		}
	}
}

func TestListValidate_Errors(t *testing.T) {
	t.Parallel()
	for _, list := range []scopes.List{nil, {}} {
		if err := list.Validate(); !errors.Is(err, scopes.ErrEmpty) {
			t.Errorf("an empty list: %v, want ErrEmpty", err)
		}
	}
	valid := scopes.List{"openid", "*openid", "a[b[*c] d]", "b[e]"}
	if err := valid.Validate(); err != nil {
		t.Errorf("%q: %v", valid, err)
	}
}
