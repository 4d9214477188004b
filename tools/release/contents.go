package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/CycloneDX/cyclonedx-go"
	licenseclassifier "github.com/google/licenseclassifier/v2"
	"github.com/google/licenseclassifier/v2/assets"
)

// allowed are the licenses that a program under Apache-2.0 may contain.
func allowed() []string {
	return []string{"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MIT-0", "MPL-2.0"}
}

// contents reads what is in a binary from its build information: the modules and the
// standard library, with the texts of their licenses. A license that is missing, unknown
// or not allowed is an error.
func (b binary) contents(ctx context.Context, root string) (components []cyclonedx.Component, texts []byte, err error) {
	dir := filepath.Join(root, b.module)
	goroot, err := output(ctx, dir, nil, "go", "env", "GOROOT")
	if err != nil {
		return nil, nil, err
	}
	dirs := []string{goroot}
	components = []cyclonedx.Component{component("std", b.golang, "")}
	args := []string{"list", "-m", "-f", "{{.Dir}}"}
	for _, dep := range b.deps {
		version := dep.Version
		if strings.HasPrefix(dep.Path, modulePath) { // replaced by the same commit
			version = b.version
		}
		components = append(components, component(dep.Path, version, dep.Sum))
		args = append(args, dep.Path)
	}
	list, err := output(ctx, dir, []string{"GOFLAGS=", "GOWORK=off"}, "go", args...)
	if err != nil {
		return nil, nil, err
	}
	dirs = append(dirs, strings.Fields(list)...)
	if len(dirs) != len(components) {
		return nil, nil, fmt.Errorf("%d modules are listed, not %d", len(dirs), len(components))
	}
	classifier, err := newClassifier()
	if err != nil {
		return nil, nil, err
	}
	var problems []error
	for i := range components {
		c := &components[i]
		ids, found, err := licenses(classifier, dirs[i])
		if err != nil {
			problems = append(problems, fmt.Errorf("%s %s: %w", c.Name, c.Version, err))
		}
		for _, id := range ids {
			*c.Licenses = append(*c.Licenses, cyclonedx.LicenseChoice{License: &cyclonedx.License{ID: id}})
		}
		texts = fmt.Appendf(texts, "==== %s %s\n\n%s\n", c.Name, c.Version, found)
	}
	return components, texts, errors.Join(problems...)
}

// component describes a module. Its sum is that of go.sum.
func component(path, version, sum string) cyclonedx.Component {
	url := "pkg:golang/" + path + "@" + version
	c := cyclonedx.Component{
		BOMRef: url, PackageURL: url, Type: cyclonedx.ComponentTypeLibrary, Name: path, Version: version, Licenses: &cyclonedx.Licenses{},
	}
	if hash, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(sum, "h1:")); err == nil && len(hash) > 0 {
		c.Hashes = &[]cyclonedx.Hash{{Algorithm: cyclonedx.HashAlgoSHA256, Value: hex.EncodeToString(hash)}}
	}
	return c
}

// writeSBOM lists what is in the binary, in the format of CycloneDX.
func (b binary) writeSBOM(out io.Writer, components []cyclonedx.Component) error {
	program := component(modulePath, b.version, "")
	program.Type, program.Name, program.BOMRef = cyclonedx.ComponentTypeApplication, b.name, b.name
	program.Licenses = &cyclonedx.Licenses{{License: &cyclonedx.License{ID: "Apache-2.0"}}}
	list := cyclonedx.NewBOM()
	list.Metadata = &cyclonedx.Metadata{Timestamp: b.when.Format(time.RFC3339), Component: &program}
	var references []string
	for _, c := range components {
		references = append(references, c.BOMRef)
	}
	list.Components, list.Dependencies = &components, &[]cyclonedx.Dependency{{Ref: b.name, Dependencies: &references}}
	return cyclonedx.NewBOMEncoder(out, cyclonedx.BOMFileFormatJSON).SetPretty(true).Encode(list)
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

func newClassifier() (*licenseclassifier.Classifier, error) {
	classifier, err := assets.DefaultClassifier()
	if err == nil {
		classifier.AddContent("License", "MIT-0", "license", []byte(mit0))
	}
	return classifier, err
}

var licenseFile = regexp.MustCompile(`(?i)^(un)?licen[cs]e|^copying|^notice|^patents`)

// licenses reads the license files of a module.
func licenses(classifier *licenseclassifier.Classifier, dir string) (ids []string, texts []byte, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, nil, err
	}
	for _, entry := range entries {
		if !licenseFile.MatchString(entry.Name()) || entry.IsDir() || filepath.Ext(entry.Name()) == ".go" {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil {
			return nil, nil, err
		}
		texts = append(bytes.TrimSpace(append(texts, text...)), '\n', '\n')
		for _, match := range classifier.Match(text).Matches {
			if match.MatchType == "License" || match.MatchType == "Header" {
				ids = append(ids, match.Name)
			}
		}
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	for _, id := range ids {
		if !slices.Contains(allowed(), id) {
			return ids, texts, fmt.Errorf("the license %s is not one of %s", id, strings.Join(allowed(), ", "))
		}
	}
	if len(ids) == 0 {
		err = errors.New("no known license")
	}
	return ids, texts, err
}
