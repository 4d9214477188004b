package keyringstore

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/zalando/go-keyring"

	"github.com/globusauth/globusauth/tokens"
	"github.com/globusauth/globusauth/tokens/internal/place"
)

const (
	// maxItem is the size of an item in bytes. Windows takes 2,560, macOS about
	// 3,000 with names and base64.
	maxItem  = 1500
	maxIndex = 1 << 20
)

// ring is a keyring.
type ring interface {
	Set(service, user, secret string) error
	Get(service, user string) (string, error)
	Delete(service, user string) error
}

// system is the keyring of the operating system.
type system struct{}

func (system) Set(service, user, secret string) error   { return keyring.Set(service, user, secret) }
func (system) Get(service, user string) (string, error) { return keyring.Get(service, user) }
func (system) Delete(service, user string) error        { return keyring.Delete(service, user) }

// backend keeps the tokens in the keyring. Its file is an [index].
type backend struct{ ring ring }

var _ place.Backend = backend{}

// index names the items of the keyring, which cannot list them.
type index struct {
	Items  map[string][]string `json:"items"`            // that hold a namespace, in their order
	Unused []string            `json:"unused,omitempty"` // that may exist, and are to be deleted
}

func readIndex(file place.File) (index, error) {
	content, err := file.Read(maxIndex)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return index{}, err
	}
	i := index{Items: map[string][]string{}}
	if len(content) > 0 && (json.Unmarshal(content, &i) != nil || i.Items == nil) {
		return index{}, fmt.Errorf("%w: %s is damaged", tokens.ErrUnreadable, file.Path)
	}
	return i, nil
}

func (i index) write(file place.File) error {
	content, err := json.Marshal(i)
	if err != nil {
		return err
	}
	return file.Replace(content)
}

func service(file place.File) string { return "globusauth " + file.Path }

// Load returns the tokens of a namespace.
func (b backend) Load(ctx context.Context, file place.File, namespace string) (jsontext.Value, error) {
	const attempts = 5 // an update may replace the items meanwhile
	for attempt := 1; ; attempt++ {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		i, err := readIndex(file)
		if err != nil || i.Items[namespace] == nil {
			return nil, err
		}
		text, err := b.get(file, i.Items[namespace])
		switch {
		case err == nil:
			return text, nil
		case !errors.Is(err, keyring.ErrNotFound):
			return nil, unusable(err)
		case attempt == attempts:
			return nil, fmt.Errorf("%w: the keyring does not have the items that %s names", tokens.ErrUnreadable, file.Path)
		}
	}
}

func (b backend) get(file place.File, items []string) (jsontext.Value, error) {
	var text strings.Builder
	for _, item := range items {
		part, err := b.ring.Get(service(file), item)
		if err != nil {
			return nil, err
		}
		text.WriteString(part)
	}
	return jsontext.Value(text.String()), nil
}

func unusable(err error) error {
	return fmt.Errorf("the keyring cannot be used: %w: unlock it, or choose another store", err)
}

// Namespaces returns those that hold tokens.
func (b backend) Namespaces(_ context.Context, file place.File) ([]string, error) {
	i, err := readIndex(file)
	return slices.Collect(maps.Keys(i.Items)), err
}

// Rehearse writes an item and removes it.
func (b backend) Rehearse(_ context.Context, file place.File) error {
	item := "rehearsal " + rand.Text()
	if err := cmp.Or(b.ring.Set(service(file), item, "rehearsal"), b.ring.Delete(service(file), item)); err != nil {
		return unusable(err)
	}
	return nil
}

// Edit writes the tokens of a namespace into new items.
func (b backend) Edit(ctx context.Context, file place.File, namespace string, edit func(map[string]jsontext.Value) error) error {
	text, err := b.Load(ctx, file, namespace)
	if err != nil {
		return err
	}
	rows := map[string]jsontext.Value{}
	if text != nil {
		if err := json.Unmarshal(text, &rows); err != nil {
			return err
		}
	}
	if err := edit(rows); err != nil {
		return err
	}
	if len(rows) == 0 {
		return b.Delete(ctx, file, namespace)
	}
	if text, err = json.Marshal(rows); err != nil {
		return err
	}
	return b.replace(file, namespace, slices.Collect(slices.Chunk(text, maxItem)))
}

// Delete removes a namespace.
func (b backend) Delete(_ context.Context, file place.File, namespace string) error {
	return b.replace(file, namespace, nil)
}

// replace stores the parts of a namespace in new items, and deletes the old. The index
// names items before they are created and until they are deleted, so that an
// interrupted update leaves no item for good.
func (b backend) replace(file place.File, namespace string, parts []jsontext.Value) error {
	i, err := readIndex(file)
	if err != nil {
		return err
	}
	if err := b.delete(file, i.Unused); err != nil {
		return err
	}
	old := i.Items[namespace]
	i.Unused = make([]string, len(parts))
	for n := range parts {
		i.Unused[n] = rand.Text()
	}
	if err := i.write(file); err != nil {
		return err
	}
	for n, part := range parts {
		if err := b.ring.Set(service(file), i.Unused[n], string(part)); err != nil {
			return unusable(err)
		}
	}
	if i.Items[namespace], i.Unused = i.Unused, old; len(parts) == 0 {
		delete(i.Items, namespace)
	}
	if err := i.write(file); err != nil {
		return err
	}
	_ = b.delete(file, old) // the next update tries it again
	return nil
}

func (b backend) delete(file place.File, items []string) error {
	for _, item := range items {
		if err := b.ring.Delete(service(file), item); err != nil && !errors.Is(err, keyring.ErrNotFound) {
			return unusable(err)
		}
	}
	return nil
}
