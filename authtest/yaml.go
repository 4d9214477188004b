package authtest

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"
	"go.yaml.in/yaml/v3"
)

// What is read of a document at most: of a snapshot, which may have a million
// tokens, and of what is added to a running server.
const (
	maxWorld = 1 << 30
	maxAdded = 64 << 20
	// Each value takes some 400 bytes while it is read, so that 45 MB of "{}," would
	// take 6 GiB: 2 million of them are read, or one for so many bytes of a long document.
	maxValues = 2_000_000
	sparse    = 16
)

// count returns about how many values a document of YAML or JSON has, and seldom
// fewer than half of them: each is on a line of its own, or behind one of these.
func count(text []byte) (values int) {
	for _, mark := range []string{"\n", "\r", ",", "{", "[", "- ", "-\t", "? "} {
		values += bytes.Count(text, []byte(mark))
	}
	return values
}

// ReadWorld reads a seed or a snapshot, a YAML or JSON document with the fields
// of [World]. An unknown field is an error: it is usually misspelt.
func ReadWorld(r io.Reader) (World, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxWorld+1))
	if err != nil {
		return World{}, fmt.Errorf("authtest: read the world: %w", err)
	}
	if len(text) > maxWorld {
		return World{}, errors.New("authtest: read the world: the document is longer than 1 GiB")
	}
	if values := count(text); values > max(maxValues, len(text)/sparse) {
		return World{}, fmt.Errorf("authtest: read the world: the document has about %d values in %d bytes, too many", values, len(text))
	}
	// JSON is YAML but for one thing: how it escapes letters beyond U+FFFF.
	if plain := jsontext.Value(bytes.Clone(text)); plain.Format() == nil {
		text = plain
	}
	var world World
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&world); err != nil && !errors.Is(err, io.EOF) {
		return World{}, fmt.Errorf("authtest: read the world: %w", err)
	}
	return world, nil
}

// Write writes the world as YAML, for [ReadWorld].
func (w World) Write(out io.Writer) error {
	encoder := yaml.NewEncoder(out)
	encoder.SetIndent(2)
	if err := encoder.Encode(w); err != nil {
		return fmt.Errorf("authtest: write the world: %w", err)
	}
	if err := encoder.Close(); err != nil {
		return fmt.Errorf("authtest: write the world: %w", err)
	}
	return nil
}

// domainList tells a list that is empty from one that is null when it is written.
type domainList []string

// IsZero reports whether the list is null.
func (l domainList) IsZero() bool { return l == nil }
