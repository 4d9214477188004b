package keyringstore

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

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

// backend keeps the tokens of a file's namespaces in the keyring, and in the file
// where they are.
type backend struct{ ring ring }

var (
	_ place.Backend = (*backend)(nil)
	_ place.OffDisk = (*backend)(nil)
)

// entry says where the tokens of a namespace are.
type entry struct {
	Current string `json:"current,omitempty"` // names the items that hold them
	Items   int    `json:"items,omitempty"`
	Writing string `json:"writing,omitempty"` // names items that may be there, of an update that was not finished
}

type index map[string]entry // by namespace

func readIndex(path string) (index, error) {
	content, _, err := place.ReadFile(path, maxIndex)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(content) == 0 {
		return index{}, nil
	}
	if err != nil {
		return nil, err
	}
	var read index
	if json.Unmarshal(content, &read) != nil || read == nil {
		return nil, fmt.Errorf("%w: %s is damaged", tokens.ErrUnreadable, path)
	}
	return read, nil
}

func (i index) write(path, namespace string, e entry) error {
	next := maps.Clone(i)
	next[namespace] = e
	if e == (entry{}) {
		delete(next, namespace)
	}
	content, err := json.Marshal(next)
	if err != nil {
		return err
	}
	return place.System{}.Replace(path, content)
}

func service(path string) string { return "globusauth " + path }

func item(namespace, name string, i int) string { return fmt.Sprintf("%s %s.%d", namespace, name, i) }

// OffDisk says that tokens must not be in files.
func (b *backend) OffDisk() {}

// Load returns the tokens of a namespace.
func (b *backend) Load(ctx context.Context, path, namespace string) (tokens.Set, error) {
	const attempts = 5 // an update may replace the items meanwhile
	for attempt := 1; ; attempt++ {
		if err := ctx.Err(); err != nil {
			return tokens.Set{}, err
		}
		all, err := readIndex(path)
		if err != nil || all[namespace].Items == 0 {
			return tokens.Set{}, err
		}
		text, err := b.items(path, namespace, all[namespace])
		switch {
		case errors.Is(err, keyring.ErrNotFound) && attempt < attempts:
			continue
		case errors.Is(err, keyring.ErrNotFound):
			return tokens.Set{}, fmt.Errorf("%w: the keyring does not hold what %s says", tokens.ErrUnreadable, path)
		case err != nil:
			return tokens.Set{}, unusable(err)
		}
		set, err := tokens.UnmarshalStorage([]byte(text))
		if err != nil {
			return tokens.Set{}, fmt.Errorf("%w: in the keyring, namespace %q: %w", tokens.ErrUnreadable, namespace, err)
		}
		return set, nil
	}
}

func (b *backend) items(path, namespace string, e entry) (string, error) {
	var text strings.Builder
	for i := range e.Items {
		part, err := b.ring.Get(service(path), item(namespace, e.Current, i))
		if err != nil {
			return "", err
		}
		text.WriteString(part)
	}
	return text.String(), nil
}

func unusable(err error) error {
	return fmt.Errorf("the keyring cannot be used: %w: unlock it, or choose another store", err)
}

// Namespaces returns those that hold tokens.
func (b *backend) Namespaces(_ context.Context, path string) ([]string, error) {
	all, err := readIndex(path)
	maps.DeleteFunc(all, func(_ string, e entry) bool { return e.Items == 0 })
	return slices.Collect(maps.Keys(all)), err
}

// Rehearse writes an item and removes it.
func (b *backend) Rehearse(_ context.Context, path string) error {
	name := "rehearsal " + rand.Text()
	err := b.ring.Set(service(path), name, "rehearsal")
	if err == nil {
		err = b.ring.Delete(service(path), name)
	}
	if err != nil {
		return unusable(err)
	}
	return nil
}

// Store writes a set into new items, and says then in the index that they count.
func (b *backend) Store(ctx context.Context, path, namespace string, _, after tokens.Set) error {
	if after.Equal(tokens.Set{}) {
		return b.Delete(ctx, path, namespace)
	}
	text, err := after.MarshalStorage()
	if err != nil {
		return err
	}
	all, err := readIndex(path)
	if err != nil {
		return err
	}
	old := all[namespace]
	if err := b.clear(path, namespace, old.Writing); err != nil {
		return err
	}
	next := entry{Current: rand.Text()}
	if err := all.write(path, namespace, entry{Current: old.Current, Items: old.Items, Writing: next.Current}); err != nil {
		return err
	}
	for part := range slices.Chunk(text, maxItem) {
		if err := b.ring.Set(service(path), item(namespace, next.Current, next.Items), string(part)); err != nil {
			return unusable(err)
		}
		next.Items++
	}
	next.Writing = old.Current // until it is cleared
	if err := all.write(path, namespace, next); err != nil {
		return err
	}
	if err := b.clear(path, namespace, old.Current); err == nil {
		next.Writing = ""
		_ = all.write(path, namespace, next) // the next update clears again
	}
	return nil
}

// clear removes the items of a name, the last first, so that what is left when it
// is interrupted is found again.
func (b *backend) clear(path, namespace, name string) error {
	n := 0
	for name != "" {
		_, err := b.ring.Get(service(path), item(namespace, name, n))
		if errors.Is(err, keyring.ErrNotFound) {
			break
		}
		if err != nil {
			return unusable(err)
		}
		n++
	}
	for n--; n >= 0; n-- {
		if err := b.ring.Delete(service(path), item(namespace, name, n)); err != nil && !errors.Is(err, keyring.ErrNotFound) {
			return unusable(err)
		}
	}
	return nil
}

// Delete removes a namespace.
func (b *backend) Delete(_ context.Context, path, namespace string) error {
	all, err := readIndex(path)
	if err != nil {
		return err
	}
	e, found := all[namespace]
	if !found {
		return nil
	}
	for _, name := range []string{e.Current, e.Writing} {
		if err := b.clear(path, namespace, name); err != nil {
			return err
		}
	}
	return all.write(path, namespace, entry{})
}
