// Package place says where durable stores keep tokens, as the official Python
// SDK does, and guards those files: who may read them, who writes next.
package place

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/globusauth/globusauth/tokens"
)

const production = "production"

// Config is the part of a store's configuration that says where its files are.
type Config struct {
	AppName     string
	Dir         string
	Path        string
	ClientID    string
	Environment string
	Address     string
	Extension   string // ".json"
}

// Place maps keys to files. It never changes.
type Place struct {
	config Config
	slug   string
	only   tokens.Key // with Path: the one client and environment
}

// New checks the configuration. It touches no file.
func New(config Config) (*Place, error) {
	p := &Place{config: config}
	var err error
	if config.Path != "" {
		if config.AppName != "" || config.Dir != "" {
			return nil, errors.New("path is set beside AppName or Dir: choose one")
		}
		p.only, err = tokens.Key{ClientID: config.ClientID, Environment: config.Environment, Address: config.Address}.Normal()
		if err != nil {
			return nil, fmt.Errorf("path needs the client its tokens are for: %w", err)
		}
		if p.config.Path, err = filepath.Abs(config.Path); err != nil {
			return nil, err
		}
		return p, nil
	}
	if config.ClientID != "" || config.Environment != "" || config.Address != "" {
		return nil, errors.New("ClientID, Environment and Address go with Path only: keys name them otherwise")
	}
	if p.slug, err = Slug(config.AppName); err != nil {
		return nil, err
	}
	if config.Dir == "" {
		if p.config.Dir, err = root(); err != nil {
			return nil, fmt.Errorf("no home directory to keep tokens in: set Dir or Path: %w", err)
		}
	}
	if p.config.Dir, err = filepath.Abs(p.config.Dir); err != nil {
		return nil, err
	}
	return p, nil
}

// File returns the file of a key, and the key with its defaults.
func (p *Place) File(key tokens.Key) (string, tokens.Key, error) {
	key, err := key.Normal()
	if err != nil {
		return "", key, err
	}
	if p.config.Path != "" {
		if want := (tokens.Key{ClientID: key.ClientID, Environment: key.Environment, Address: key.Address, Namespace: p.only.Namespace}); want != p.only {
			return "", key, fmt.Errorf("%s holds the tokens of %s, not of %s", p.config.Path, whose(p.only), whose(key))
		}
		return p.config.Path, key, nil
	}
	name := "tokens"
	if key.Environment != production {
		name = key.Environment + "-" + name
	}
	if key.Address != "" {
		name += "@" + escape(key.Address)
	}
	if name += p.config.Extension; len(name) > maxName {
		return "", key, fmt.Errorf("the address %s is too long for the name of a file: set Path", key.Address)
	}
	return filepath.Join(p.config.Dir, key.ClientID, p.slug, name), key, nil
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

// key reads back what File made the name of a file of; the zero key for other files.
func (p *Place) key(client, name string) tokens.Key {
	stem, ok := strings.CutSuffix(name, p.config.Extension)
	stem, escaped, _ := strings.Cut(stem, "@")
	address, err := url.PathUnescape(escaped)
	key := tokens.Key{ClientID: client, Environment: production, Address: address}
	if stem != "tokens" {
		key.Environment, ok = strings.CutSuffix(stem, "-tokens")
	}
	path, key, fileErr := p.File(key)
	if !ok || err != nil || fileErr != nil || filepath.Base(path) != name {
		return tokens.Key{}
	}
	key.Namespace = ""
	return key
}

// Found is a file that exists, and whose it is; the key has no namespace yet.
type Found struct {
	Path string
	Key  tokens.Key
}

// Files returns the files that exist, in no order that matters.
func (p *Place) Files() ([]Found, error) {
	if p.config.Path != "" {
		if _, err := os.Lstat(p.config.Path); errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		return []Found{{Path: p.config.Path, Key: p.only}}, nil
	}
	clients, err := os.ReadDir(p.config.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var found []Found
	for _, client := range clients {
		dir := filepath.Join(p.config.Dir, client.Name(), p.slug)
		files, err := os.ReadDir(dir)
		if errors.Is(err, fs.ErrNotExist) || notADirectory(dir) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			if key := p.key(client.Name(), file.Name()); key != (tokens.Key{}) {
				found = append(found, Found{Path: filepath.Join(dir, file.Name()), Key: key})
			}
		}
	}
	return found, nil
}

func notADirectory(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.IsDir() || err != nil && !errors.Is(err, fs.ErrPermission)
}
