// Package jsonfile is the format of package filestore: the token storage of the
// official Python SDK.
package jsonfile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/globusauth/globusauth/tokens"
	"github.com/globusauth/globusauth/tokens/internal/files"
)

const (
	maxFile = 16 << 20
	// A program that rewrites the file in place is given this long to finish.
	rereadFor   = 250 * time.Millisecond
	rereadEvery = 10 * time.Millisecond
)

type object = map[string]jsontext.Value

// document is a token file. Values are kept as they were written.
type document struct {
	Data    object         `json:"data,omitzero"` // by namespace, then by resource server
	Version *string        `json:"format_version"`
	Writer  *string        `json:"globus-sdk.version"`
	ByRS    jsontext.Value `json:"by_rs,omitzero"` // the data of version 1.0
	Unknown object         `json:",embed"`
}

// newDocument is an empty document. The Python SDK reads any text as its version.
func newDocument() *document {
	return &document{Data: object{}, Version: new("2.0"), Writer: new("globusauth-go")}
}

// Backend is the format of the files.
type Backend struct{}

var _ files.Backend = Backend{}

// Load returns the tokens of a namespace.
func (Backend) Load(ctx context.Context, file files.File, namespace string) (jsontext.Value, error) {
	doc, err := read(ctx, file)
	if err != nil {
		return nil, err
	}
	return doc.Data[namespace], nil
}

// Namespaces returns those that hold tokens.
func (Backend) Namespaces(ctx context.Context, file files.File) ([]string, error) {
	doc, err := read(ctx, file)
	if err != nil {
		return nil, err
	}
	var names []string
	for name, raw := range doc.Data {
		var rows object
		if json.Unmarshal(raw, &rows) == nil && len(rows) > 0 {
			names = append(names, name)
		}
	}
	return names, nil
}

// Rehearse is Load: a file can be replaced where a temporary file can be created.
func (b Backend) Rehearse(ctx context.Context, file files.File, namespace string) (jsontext.Value, error) {
	return b.Load(ctx, file, namespace)
}

// Edit reads the file again, because other programs write it without the lock, and
// replaces it.
func (Backend) Edit(ctx context.Context, file files.File, namespace string, edit func(jsontext.Value) (jsontext.Value, error)) error {
	doc, err := read(ctx, file)
	if err != nil {
		return err
	}
	before, found := doc.Data[namespace]
	if !found {
		before = jsontext.Value("{}")
	}
	after, err := edit(before)
	if err != nil || bytes.Equal(after, before) {
		return err
	}
	delete(doc.Data, namespace)
	if string(after) != "{}" {
		doc.Data[namespace] = after
	}
	return doc.write(file)
}

func (d *document) write(file files.File) error {
	d.Version, d.ByRS = newDocument().Version, nil
	content, err := json.Marshal(d, json.Deterministic(true))
	if err != nil {
		return err
	}
	return file.Replace(content)
}

// read reads a file, and reads it again for a while if another program seems to be
// writing it. A missing file, and one that stays empty, are an empty document.
func read(ctx context.Context, file files.File) (*document, error) {
	for left := rereadFor; ; left -= rereadEvery {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		content, err := file.Read(maxFile)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return newDocument(), nil
		case err != nil:
			return nil, err
		case len(content) > maxFile:
			return nil, fmt.Errorf("%w: %s is larger than %d MiB, which no login is", tokens.ErrUnreadable, file.Path, maxFile>>20)
		}
		doc, err := parse(file, content)
		if !errors.Is(err, errHalfWritten) {
			return doc, err
		}
		if left <= 0 {
			if len(content) == 0 { // left by a program that was killed before it wrote
				return newDocument(), nil
			}
			return nil, fmt.Errorf("%w: %s is damaged (%w)", tokens.ErrUnreadable, file.Path, err)
		}
		select {
		case <-time.After(rereadEvery):
		case <-ctx.Done():
		}
	}
}

// errHalfWritten is how a file looks that another program is writing.
var errHalfWritten = errors.New("not whole")

// parse reads a document by the rules of the Python SDK.
func parse(file files.File, content []byte) (*document, error) {
	var doc document
	err := json.Unmarshal(content, &doc)
	if syntax, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		return nil, fmt.Errorf("%w: JSON ends or breaks at byte %d", errHalfWritten, syntax.ByteOffset) // its text may quote secrets
	}
	mistyped, _ := errors.AsType[*json.SemanticError](err)
	switch {
	case jsontext.Value(content).Kind() != '{':
		return nil, odd(file, "it is not a JSON object")
	case mistyped != nil && mistyped.JSONPointer == "/data":
		return nil, odd(file, `its "data" is not an object`)
	case err != nil || doc.Version == nil || doc.Writer == nil:
		return nil, fmt.Errorf("%w (%w)", odd(file, `its "format_version" or "globus-sdk.version" is missing or not text: is it a token file?`), files.ErrForeign)
	case *doc.Version == "1.0" && doc.ByRS.Kind() == '{':
		doc.Data = object{"DEFAULT": doc.ByRS}
	case *doc.Version == "1.0":
		return nil, odd(file, `its "by_rs" is not an object`)
	case *doc.Version != "2.0":
		return nil, odd(file, fmt.Sprintf("its format_version is %q, not 1.0 or 2.0: update this program", *doc.Version))
	case doc.Data == nil:
		return nil, odd(file, `its "data" is not an object`)
	}
	return &doc, nil
}

func odd(file files.File, what string) error {
	return fmt.Errorf("%w: %s: %s", tokens.ErrUnreadable, file.Path, what)
}
