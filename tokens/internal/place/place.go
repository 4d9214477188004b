// Package place is a store of tokens in files: where they are, as with the official
// Python SDK, who may read them, who writes next, and what is left of a process that is
// killed meanwhile. A [Backend] reads and writes the files of one format.
package place

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/globusauth/globusauth/internal/environment"
	"github.com/globusauth/globusauth/tokens"
)

// Config is that of the public packages.
type Config struct {
	AppName     string
	Dir         string
	Path        string
	ClientID    string
	Environment string
	Address     string
	LockTimeout time.Duration
}

// layout maps keys to files. It never changes.
type layout struct {
	dir, slug string
	extension string // ".json"
	path      string
	only      tokens.Key // with path: the one client, environment and address
}

func newLayout(config Config, extension string) (*layout, error) {
	l := &layout{extension: extension}
	var err error
	if config.Path != "" {
		if config.AppName != "" || config.Dir != "" {
			return nil, errors.New("path is set beside AppName or Dir: choose one")
		}
		l.only, err = tokens.Key{ClientID: config.ClientID, Environment: config.Environment, Address: config.Address}.Normal()
		if err != nil {
			return nil, fmt.Errorf("path needs the client its tokens are for: %w", err)
		}
		l.path, err = filepath.Abs(config.Path)
		return l, err
	}
	if config.ClientID != "" || config.Environment != "" || config.Address != "" {
		return nil, errors.New("ClientID, Environment and Address go with Path only: keys name them otherwise")
	}
	if l.slug, err = slug(config.AppName); err != nil {
		return nil, err
	}
	if config.Dir == "" {
		if config.Dir, err = root(); err != nil {
			return nil, fmt.Errorf("no home directory to keep tokens in: %w; or set Dir or Path", err)
		}
	}
	l.dir, err = filepath.Abs(config.Dir)
	return l, err
}

// file returns the file of a key, and the key with its defaults.
func (l *layout) file(key tokens.Key) (string, tokens.Key, error) {
	key, err := key.Normal()
	if err != nil {
		return "", key, err
	}
	if l.path != "" {
		asked := key
		if asked.Namespace = l.only.Namespace; asked != l.only {
			return "", key, fmt.Errorf("%s holds the tokens of %s, not of %s", l.path, whose(l.only), whose(key))
		}
		return l.path, key, nil
	}
	name := "tokens"
	if key.Environment != environment.Production {
		name = key.Environment + "-" + name
	}
	if key.Address != "" {
		name += "@" + escape(key.Address)
	}
	if name += l.extension; len(name) > maxName {
		return "", key, fmt.Errorf("the address %s is too long for the name of a file: set Path", key.Address)
	}
	return filepath.Join(l.dir, key.ClientID, l.slug, name), key, nil
}

// maxName leaves room for the names of locks and temporary files, within the 255
// bytes of most file systems.
const maxName = 200

func whose(key tokens.Key) string {
	text := fmt.Sprintf("client %s in %s", key.ClientID, key.Environment)
	if key.Address != "" {
		text += " at " + key.Address
	}
	return text
}

// escape makes a name of an address that is the only one also where the file system
// ignores case. url.PathUnescape reads it back.
func escape(address string) string {
	var name strings.Builder
	for _, c := range []byte(address) {
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '.', c == '-', c == '_':
			name.WriteByte(c)
		default:
			fmt.Fprintf(&name, "%%%02x", c)
		}
	}
	return name.String()
}

// key reads back what file made the name of a file of; the zero key for other files.
func (l *layout) key(client, name string) tokens.Key {
	stem, ok := strings.CutSuffix(name, l.extension)
	stem, escaped, _ := strings.Cut(stem, "@")
	address, err := url.PathUnescape(escaped)
	key := tokens.Key{ClientID: client, Environment: environment.Production, Address: address}
	if stem != "tokens" {
		key.Environment, ok = strings.CutSuffix(stem, "-tokens")
	}
	path, key, fileErr := l.file(key)
	if !ok || err != nil || fileErr != nil || filepath.Base(path) != name {
		return tokens.Key{}
	}
	return key
}

// files returns the files that exist, or have a record, and whose they are.
func (l *layout) files() (map[string]tokens.Key, error) {
	found := map[string]tokens.Key{}
	if l.path != "" {
		if _, err := os.Lstat(l.path); err == nil || len(changes(l.path)) > 0 {
			found[l.path] = l.only
		}
		return found, nil
	}
	clients, err := os.ReadDir(l.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, client := range clients {
		dir := filepath.Join(l.dir, client.Name(), l.slug)
		files, err := os.ReadDir(dir)
		if errors.Is(err, fs.ErrNotExist) || notADirectory(dir) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			name := recordOf(file.Name())
			if key := l.key(client.Name(), name); key != (tokens.Key{}) {
				found[filepath.Join(dir, name)] = key
			}
		}
	}
	return found, nil
}

func notADirectory(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.IsDir() || err != nil && !errors.Is(err, fs.ErrPermission)
}
