package filestore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/globusauth/globusauth/tokens"
	"github.com/globusauth/globusauth/tokens/internal/place"
)

const (
	maxFile = 16 << 20
	// reserve is room for what an update may add.
	reserve = 64 << 10
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

// document is a token file. Values are kept as they were written.
type document struct {
	path string
	top  object
	data object // by namespace
	size int
}

// read reads a file, again for a while if it makes no sense. No file is an
// empty document.
func read(ctx context.Context, path string) (*document, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	doc, err := readOnce(path)
	if !errors.Is(err, errHalfWritten) {
		return doc, err
	}
	deadline := time.NewTimer(rereadFor)
	defer deadline.Stop()
	again := time.NewTicker(rereadEvery)
	defer again.Stop()
	for {
		select {
		case <-again.C:
			if doc, err = readOnce(path); !errors.Is(err, errHalfWritten) {
				return doc, err
			}
		case <-deadline.C:
			return nil, fmt.Errorf("%w: %s is damaged (%w): nothing was changed; move the file away and log in again", tokens.ErrUnreadable, path, err)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// errHalfWritten is what another program's writing can look like.
var errHalfWritten = errors.New("not whole")

func readOnce(path string) (*document, error) {
	f, info, err := place.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return &document{path: path, top: object{}, data: object{}}, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	content := make([]byte, 0, min(info.Size(), maxFile)+1)
	for {
		n, err := f.Read(content[len(content):cap(content)])
		content = content[:len(content)+n]
		switch {
		case len(content) > maxFile:
			return nil, fmt.Errorf("%w: %s is larger than %d MiB, which no login is: move it away", tokens.ErrUnreadable, path, maxFile>>20)
		case errors.Is(err, io.EOF):
			return parse(path, content)
		case err != nil:
			return nil, err
		case len(content) == cap(content): // it grew
			content = append(content, 0)[:len(content)]
		}
	}
}

// parse takes a document apart, with the rules of the Python SDK.
func parse(path string, content []byte) (*document, error) {
	doc := &document{path: path, size: len(content)}
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
		return "", d.odd(fmt.Sprintf("its %q is missing or not text: is it a token file?", member))
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
		return tokens.Set{}, fmt.Errorf("%w: %s, namespace %q: %w: mend the file, or move it away and log in again",
			tokens.ErrUnreadable, d.path, namespace, err)
	}
	return set, nil
}

// has reports whether a namespace holds tokens.
func (d *document) has(namespace string) bool {
	var servers object
	return json.Unmarshal(d.data[namespace], &servers) == nil && len(servers) > 0
}

// apply returns the file with the differences between two sets put into it.
func (d *document) apply(namespace string, before, after tokens.Set) ([]byte, error) {
	servers := object{}
	if raw, found := d.data[namespace]; found {
		if err := json.Unmarshal(raw, &servers); err != nil || servers == nil {
			return nil, d.odd(fmt.Sprintf("its namespace %q is not an object", namespace))
		}
	}
	stored, err := after.MarshalStorage()
	if err != nil {
		return nil, err
	}
	var written object
	if err := json.Unmarshal(stored, &written); err != nil {
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
		if servers[name], err = place.Overlay(servers[name], written[name]); err != nil {
			return nil, d.odd(fmt.Sprintf("its token for %q is not an object", name))
		}
	}
	return d.with(namespace, servers)
}

// without returns the file without a namespace.
func (d *document) without(namespace string) ([]byte, error) { return d.with(namespace, nil) }

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
