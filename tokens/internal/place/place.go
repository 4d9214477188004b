// Package place says where durable stores keep tokens, as the official Python
// SDK does, and guards those files: who may read them, who writes next.
package place

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
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
		p.only, err = tokens.Key{ClientID: config.ClientID, Environment: config.Environment}.Normal()
		if err != nil {
			return nil, fmt.Errorf("path needs the client its tokens are for: %w", err)
		}
		if p.config.Path, err = filepath.Abs(config.Path); err != nil {
			return nil, err
		}
		return p, nil
	}
	if config.ClientID != "" || config.Environment != "" {
		return nil, errors.New("ClientID and Environment go with Path only: keys name them otherwise")
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
		if key.ClientID != p.only.ClientID || key.Environment != p.only.Environment {
			return "", key, fmt.Errorf("%s holds the tokens of client %s in %s, not of client %s in %s",
				p.config.Path, p.only.ClientID, p.only.Environment, key.ClientID, key.Environment)
		}
		return p.config.Path, key, nil
	}
	name := "tokens" + p.config.Extension
	if key.Environment != production {
		name = key.Environment + "-" + name
	}
	return filepath.Join(p.config.Dir, key.ClientID, p.slug, name), key, nil
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
			key := tokens.Key{ClientID: client.Name(), Environment: production}
			if name := file.Name(); name != "tokens"+p.config.Extension {
				environment, ok := strings.CutSuffix(name, "-tokens"+p.config.Extension)
				if !ok || environment == production {
					continue
				}
				key.Environment = environment
			}
			if path, normal, err := p.File(key); err == nil {
				normal.Namespace = ""
				found = append(found, Found{Path: path, Key: normal})
			}
		}
	}
	return found, nil
}

func notADirectory(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.IsDir() || err != nil && !errors.Is(err, fs.ErrPermission)
}

// SortKeys puts keys in the order that stores promise.
func SortKeys(keys []tokens.Key) {
	slices.SortFunc(keys, func(a, b tokens.Key) int {
		return slices.Compare(
			[]string{a.ClientID, a.Environment, a.Namespace},
			[]string{b.ClientID, b.Environment, b.Namespace},
		)
	})
}
