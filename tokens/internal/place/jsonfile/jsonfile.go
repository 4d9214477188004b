// Package jsonfile is the format of package filestore: the token storage of the
// official Python SDK.
package jsonfile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/globusauth/globusauth/tokens"
	"github.com/globusauth/globusauth/tokens/internal/place"
	"github.com/globusauth/globusauth/tokens/internal/stored"
)

const (
	maxFile = 16 << 20
	// A program that rewrites the file in place is given this long to finish.
	rereadFor   = 250 * time.Millisecond
	rereadEvery = 10 * time.Millisecond

	versionMember    = "format_version"
	sdkVersionMember = "globus-sdk.version"
	dataMember       = "data"
	v1Member         = "by_rs"

	// sdkVersion stands where the Python SDK writes its version, in a file it has
	// not written yet. It reads any text there.
	sdkVersion = "globusauth-go"
)

type object = map[string]jsontext.Value

// Backend is the format of the files.
type Backend struct {
	System place.System
	// Wait ends after d, or with ctx. Nil means that, in real time.
	Wait func(ctx context.Context, d time.Duration) error
}

var _ place.Backend = (*Backend)(nil)

// Load returns the tokens of a namespace.
func (b *Backend) Load(ctx context.Context, path, namespace string) (tokens.Set, error) {
	doc, err := b.read(ctx, path)
	if err != nil {
		return tokens.Set{}, err
	}
	return doc.set(namespace)
}

// Namespaces returns those that hold tokens.
func (b *Backend) Namespaces(ctx context.Context, path string) ([]string, error) {
	doc, err := b.read(ctx, path)
	if err != nil {
		return nil, err
	}
	var names []string
	for name, raw := range doc.data {
		var servers object
		if json.Unmarshal(raw, &servers) == nil && len(servers) > 0 {
			names = append(names, name)
		}
	}
	return names, nil
}

// Rehearse has nothing to do: a file can be replaced where another can be made.
func (b *Backend) Rehearse(context.Context, string) error { return nil }

// Store reads the file again, for the sake of programs that write it without the
// lock, and replaces it.
func (b *Backend) Store(ctx context.Context, path, namespace string, before, after tokens.Set) error {
	doc, err := b.read(ctx, path)
	if err != nil {
		return err
	}
	content, err := doc.apply(namespace, before, after)
	if err != nil {
		return err
	}
	return b.System.Replace(path, content)
}

// Delete removes a namespace, whatever it holds.
func (b *Backend) Delete(ctx context.Context, path, namespace string) error {
	doc, err := b.read(ctx, path)
	if err != nil {
		return err
	}
	if _, found := doc.data[namespace]; !found {
		return nil
	}
	content, err := doc.with(namespace, nil)
	if err != nil {
		return err
	}
	return b.System.Replace(path, content)
}

// document is a token file. Values are kept as they were written.
type document struct {
	path string
	top  object
	data object // by namespace
}

// read reads a file, again for a while if it makes no sense. No file, and one that
// stays empty, are an empty document.
func (b *Backend) read(ctx context.Context, path string) (*document, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	wait := b.Wait
	if wait == nil {
		wait = pause
	}
	for left := rereadFor; ; left -= rereadEvery {
		doc, err := readOnce(path)
		switch {
		case !errors.Is(err, errHalfWritten):
			return doc, err
		case left > 0:
			if err := wait(ctx, rereadEvery); err != nil {
				return nil, err
			}
		case doc != nil: // what a program leaves that is killed before it writes
			return &document{path: path, top: object{}, data: object{}}, nil
		default:
			return nil, fmt.Errorf("%w: %s is damaged (%w)", tokens.ErrUnreadable, path, err)
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// errHalfWritten is what another program's writing can look like.
var errHalfWritten = errors.New("not whole")

func readOnce(path string) (*document, error) {
	content, _, err := place.ReadFile(path, maxFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &document{path: path, top: object{}, data: object{}}, nil
	case err != nil:
		return nil, err
	case len(content) > maxFile:
		return nil, fmt.Errorf("%w: %s is larger than %d MiB, which no login is", tokens.ErrUnreadable, path, maxFile>>20)
	}
	return parse(path, content)
}

// parse takes a document apart, with the rules of the Python SDK.
func parse(path string, content []byte) (*document, error) {
	doc := &document{path: path}
	if len(content) == 0 {
		return doc, errHalfWritten
	}
	if err := json.Unmarshal(content, &doc.top); err != nil {
		if kind := jsontext.Value(content).Kind(); kind != '{' && jsontext.Value(content).IsValid() {
			return nil, doc.odd("it is not a JSON object")
		}
		return nil, fmt.Errorf("%w: %w", errHalfWritten, withoutData(err))
	}
	if doc.top == nil {
		return nil, doc.odd("it is not a JSON object")
	}
	version, err := doc.text(versionMember)
	if err != nil {
		return nil, err
	}
	if _, err := doc.text(sdkVersionMember); err != nil {
		return nil, err
	}
	switch version {
	case "2.0":
		if doc.top[dataMember].Kind() != '{' || json.Unmarshal(doc.top[dataMember], &doc.data) != nil {
			return nil, doc.odd(`its "data" is not an object`)
		}
	case "1.0":
		if doc.top[v1Member].Kind() != '{' {
			return nil, doc.odd(`its "by_rs" is not an object`)
		}
		doc.data = object{"DEFAULT": doc.top[v1Member]}
	default:
		return nil, doc.odd(fmt.Sprintf("its format_version is %q, not 1.0 or 2.0: update this program", version))
	}
	return doc, nil
}

func (d *document) odd(what string) error {
	return fmt.Errorf("%w: %s: %s", tokens.ErrUnreadable, d.path, what)
}

func (d *document) text(member string) (string, error) {
	var text string
	if d.top[member].Kind() != '"' || json.Unmarshal(d.top[member], &text) != nil {
		return "", fmt.Errorf("%w (%w)", d.odd(fmt.Sprintf("its %q is missing or not text: is it a token file?", member)), place.ErrForeign)
	}
	return text, nil
}

// withoutData keeps what an error says about the place; the text may quote secrets.
func withoutData(err error) error {
	if syntax, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		return fmt.Errorf("JSON ends or breaks at byte %d", syntax.ByteOffset)
	}
	return errors.New("not valid JSON")
}

// set returns the tokens of a namespace.
func (d *document) set(namespace string) (tokens.Set, error) {
	raw, found := d.data[namespace]
	if !found {
		return tokens.Set{}, nil
	}
	set, err := tokens.UnmarshalStorage(raw)
	if err != nil {
		return tokens.Set{}, fmt.Errorf("%w: %s, namespace %q: %w",
			tokens.ErrUnreadable, d.path, namespace, err)
	}
	return set, nil
}

// apply returns the file with the differences between two sets put into it.
func (d *document) apply(namespace string, before, after tokens.Set) ([]byte, error) {
	servers := object{}
	if raw, found := d.data[namespace]; found {
		if err := json.Unmarshal(raw, &servers); err != nil || servers == nil {
			return nil, d.odd(fmt.Sprintf("its namespace %q is not an object", namespace))
		}
	}
	data, err := after.MarshalStorage()
	if err != nil {
		return nil, err
	}
	var written object
	if err := json.Unmarshal(data, &written); err != nil {
		return nil, err
	}
	for _, token := range before.All() {
		if _, kept := after.ByResourceServer(token.ResourceServer); !kept {
			delete(servers, token.ResourceServer)
		}
	}
	for _, token := range after.All() {
		name := token.ResourceServer
		if old, had := before.ByResourceServer(name); had && old == token {
			continue
		}
		if servers[name], err = stored.Overlay(servers[name], written[name]); err != nil {
			return nil, d.odd(fmt.Sprintf("its token for %q is not an object", name))
		}
	}
	return d.with(namespace, servers)
}

// with returns the file with other tokens in a namespace, without it if there are none.
func (d *document) with(namespace string, servers object) ([]byte, error) {
	data := maps.Clone(d.data)
	delete(data, namespace)
	if len(servers) > 0 {
		raw, err := json.Marshal(servers)
		if err != nil {
			return nil, err
		}
		data[namespace] = raw
	}
	all, err := json.Marshal(data)
	if err != nil {
		return nil, err
	}
	top := maps.Clone(d.top)
	delete(top, v1Member)
	top[dataMember] = all
	top[versionMember] = jsontext.Value(`"2.0"`)
	if _, found := top[sdkVersionMember]; !found {
		top[sdkVersionMember] = jsontext.Value(`"` + sdkVersion + `"`)
	}
	return json.Marshal(top, json.Deterministic(true))
}
