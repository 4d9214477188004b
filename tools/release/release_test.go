package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/CycloneDX/cyclonedx-go"
)

func TestRequirement_GoMod(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, text, want string }{
		{"line", "require github.com/globusauth/globusauth v0.0.0\n", "require github.com/globusauth/globusauth v1.2.3\n"},
		{"block", "require (\n\tgithub.com/globusauth/globusauth v1.0.0-rc.1 // indirect\n)\n", "require (\n\tgithub.com/globusauth/globusauth v1.2.3 // indirect\n)\n"},
		{"nested module", "\tgithub.com/globusauth/globusauth/tokens/pgstore v0.0.0-00010101000000-000000000000\n", "\tgithub.com/globusauth/globusauth/tokens/pgstore v1.2.3\n"},
		{"this module", "module github.com/globusauth/globusauth/tools\n", "module github.com/globusauth/globusauth/tools\n"},
		{"replacement", "replace github.com/globusauth/globusauth => ../..\n", "replace github.com/globusauth/globusauth => ../..\n"},
		{"module of another project", "\tgithub.com/globusauth/globusauth-more v0.1.0\n", "\tgithub.com/globusauth/globusauth-more v0.1.0\n"},
		{"prefix of a path", "\texample.org/github.com/globusauth/globusauth v0.1.0\n", "\texample.org/github.com/globusauth/globusauth v0.1.0\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := requirement.ReplaceAllString(test.text, "${1}v1.2.3"); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestPin_InvalidVersion(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"", "1.2.3", "v1", "v1.2", "v1.2.3+build", "latest"} {
		if err := pin(t.Context(), t.TempDir(), version); err == nil || !strings.Contains(err.Error(), "is invalid") {
			t.Errorf("%q: got %v", version, err)
		}
	}
}

func TestSection_Heading(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"# Changes\n\n## 1.2.3\n":              true,
		"# Changes\n\n## 1.2.3 - 2026-11-27\n": true,
		"## 1.2.3":                             true,
		"## 1.2.3-rc.1\n":                      false,
		"## 1.2.34\n":                          false,
		"The section ## 1.2.3\n":               false,
		"":                                     false,
	} {
		if got := section(text, "## 1.2.3"); got != want {
			t.Errorf("%q: got %v", text, got)
		}
	}
}

func TestLicenses_Files(t *testing.T) {
	t.Parallel()
	const mit = `Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation files
(the "Software"), to deal in the Software without restriction, including without limitation the rights to use, copy, modify, merge, publish,
distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is furnished to do so, subject to the
following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF
MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY
CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE
OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.`
	const agpl = `GNU AFFERO GENERAL PUBLIC LICENSE
This program is free software: you can redistribute it and/or modify it under the terms of the GNU Affero General Public License as published by
the Free Software Foundation, either version 3 of the License, or (at your option) any later version. This program is distributed in the hope
that it will be useful, but WITHOUT ANY WARRANTY; without even the implied warranty of MERCHANTABILITY or FITNESS FOR A PARTICULAR PURPOSE. See
the GNU Affero General Public License for more details. You should have received a copy of the GNU Affero General Public License along with this
program. If not, see <https://www.gnu.org/licenses/>.`
	apache, err := os.ReadFile("../../LICENSE")
	if err != nil {
		t.Fatal(err)
	}
	classifier, err := newClassifier()
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, problem string
		files         map[string]string
		want          []string
	}{
		{"one", "", map[string]string{"LICENSE": string(apache)}, []string{"Apache-2.0"}},
		{"British spelling", "", map[string]string{"licence.md": mit}, []string{"MIT"}},
		{"MIT without attribution", "", map[string]string{"LICENSE": mit0}, []string{"MIT-0"}},
		{"two", "", map[string]string{"LICENSE.txt": string(apache), "COPYING": mit}, []string{"Apache-2.0", "MIT"}},
		{"not allowed", "the license AGPL-3.0", map[string]string{"LICENSE": mit, "COPYING": agpl}, []string{"AGPL-3.0", "MIT"}},
		{"unknown", "no known license", map[string]string{"LICENSE": "All rights reserved."}, nil},
		{"source code", "no known license", map[string]string{"license.go": mit}, nil},
		{"none", "no known license", nil, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for name, text := range test.files {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			got, texts, err := licenses(classifier, dir)
			if !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
			if (err == nil) != (test.problem == "") || err != nil && !strings.Contains(err.Error(), test.problem) {
				t.Errorf("got error %v, want %q", err, test.problem)
			}
			for name, text := range test.files {
				if filepath.Ext(name) != ".go" && !bytes.Contains(texts, []byte(strings.TrimSpace(text))) {
					t.Errorf("the text of %s is missing", name)
				}
			}
		})
	}
}

func TestComponent_Hash(t *testing.T) {
	t.Parallel()
	c := component("example.org/m", "v1.0.0", "h1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
	if c.PackageURL != "pkg:golang/example.org/m@v1.0.0" {
		t.Errorf("the package URL is %s", c.PackageURL)
	}
	want := cyclonedx.Hash{Algorithm: cyclonedx.HashAlgoSHA256, Value: "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"}
	if c.Hashes == nil || len(*c.Hashes) != 1 || (*c.Hashes)[0] != want {
		t.Errorf("the hashes are %v", c.Hashes)
	}
	for _, sum := range []string{"", "h1:", "h1:?", "h2"} {
		if c := component("example.org/m", "v1.0.0", sum); c.Hashes != nil {
			t.Errorf("%q: got %v", sum, *c.Hashes)
		}
	}
}

func TestTarred_SameBytes(t *testing.T) {
	t.Parallel()
	when := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	content := files{"b": file([]byte("two"), 0o644, when), "a/b": file([]byte("one"), 0o755, when)}
	var first, second bytes.Buffer
	if err := errors.Join(tarred(&first, content), tarred(&second, content)); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Error("the same files give different archives")
	}
	var got []string
	for archive := tar.NewReader(&first); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, header.Name)
		if header.Typeflag == tar.TypeReg && !header.ModTime.Equal(when) || header.Uid != 0 || header.Uname != "" {
			t.Errorf("%s: got %+v", header.Name, header)
		}
	}
	if want := []string{"a/", "a/b", "b"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestRun_InvalidArguments(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{nil, {"nosuch"}, {"pin"}, {"tags"}, {"build"}, {"diff", "v1.0.0"}} {
		if err := run(t.Context(), args, io.Discard); err == nil || !strings.Contains(err.Error(), "usage: release") {
			t.Errorf("%q: got %v", args, err)
		}
	}
}
