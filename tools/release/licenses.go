package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	licenseclassifier "github.com/google/licenseclassifier/v2"
	"github.com/google/licenseclassifier/v2/assets"
)

// allowed are the licenses that a program under Apache-2.0 may contain.
func allowed() []string {
	return []string{"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MIT-0", "MPL-2.0"}
}

// component is a module in a binary, with its licenses.
type component struct {
	path, version string
	sum           string // of the module's files, as go.sum has it
	licenses      []string
	texts         []byte
}

// components reads the licenses of what is in a binary: the modules, and the
// standard library. A license that is missing, unknown or not allowed is an error.
func (b binary) components(ctx context.Context, root string) ([]component, error) {
	paths := make([]string, len(b.deps))
	for i, dep := range b.deps {
		paths[i] = dep.Path
	}
	list, err := output(ctx, filepath.Join(root, b.module), []string{"GOFLAGS=", "GOWORK=off"}, "go",
		append([]string{"list", "-m", "-f", "{{.Dir}}"}, paths...)...)
	if err != nil {
		return nil, err
	}
	dirs := strings.Split(list, "\n")
	goroot, err := output(ctx, filepath.Join(root, b.module), nil, "go", "env", "GOROOT")
	if err != nil {
		return nil, err
	}
	if len(dirs) != len(b.deps) {
		return nil, fmt.Errorf("%d modules are listed, not %d", len(dirs), len(b.deps))
	}
	found := []component{{path: "std", version: b.golang}}
	for _, dep := range b.deps {
		version := dep.Version
		if strings.HasPrefix(dep.Path, modulePath) { // replaced by the same commit
			version = b.version
		}
		found = append(found, component{path: dep.Path, version: version, sum: dep.Sum})
	}
	classifier, err := assets.DefaultClassifier()
	if err != nil {
		return nil, err
	}
	classifier.AddContent("License", "MIT-0", "license", []byte(mit0))
	var problems []error
	for i, dir := range append([]string{goroot}, dirs...) {
		if err := found[i].read(classifier, dir); err != nil {
			problems = append(problems, err)
		}
	}
	return found, errors.Join(problems...)
}

// mit0 is MIT without attribution, which the classifier does not know.
const mit0 = `MIT No Attribution License

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation files (the
"Software"), to deal in the Software without restriction, including without limitation the rights to use, copy, modify, merge, publish,
distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is furnished to do so.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF
MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR
ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH
THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.`

var licenseFile = regexp.MustCompile(`(?i)^(un)?licen[cs]e|^copying|^notice|^patents`)

// read reads the license files of a module.
func (c *component) read(classifier *licenseclassifier.Classifier, dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var texts bytes.Buffer
	for _, entry := range entries {
		if !licenseFile.MatchString(entry.Name()) || entry.IsDir() || filepath.Ext(entry.Name()) == ".go" {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil {
			return err
		}
		fmt.Fprintf(&texts, "==== %s %s: %s\n\n%s\n", c.path, c.version, entry.Name(), text)
		for _, match := range classifier.Match(text).Matches {
			if match.MatchType == "License" || match.MatchType == "Header" {
				c.licenses = append(c.licenses, match.Name)
			}
		}
	}
	slices.Sort(c.licenses)
	c.licenses, c.texts = slices.Compact(c.licenses), texts.Bytes()
	if len(c.licenses) == 0 {
		return fmt.Errorf("%s %s has no known license", c.path, c.version)
	}
	for _, license := range c.licenses {
		if !slices.Contains(allowed(), license) {
			return fmt.Errorf("%s %s has the license %s, which is none of %s", c.path, c.version, license, strings.Join(allowed(), ", "))
		}
	}
	return nil
}
