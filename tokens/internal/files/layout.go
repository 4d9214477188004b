package files

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"unicode"

	"github.com/globusauth/globusauth/internal/environment"
	"github.com/globusauth/globusauth/tokens"
)

// layout maps keys to files. It never changes.
type layout struct {
	dir, slug string
	extension string // ".json"
	path      string
	only      tokens.Key // with path: the one client, environment and address
}

func newLayout(config Config, extension string) (layout, error) {
	l := layout{extension: extension}
	var err error
	if config.Path != "" {
		if config.AppName != "" || config.Dir != "" {
			return l, errors.New("path is set beside AppName or Dir: choose one")
		}
		l.only, err = tokens.Key{ClientID: config.ClientID, Environment: config.Environment, Address: config.Address}.Normal()
		if err != nil {
			return l, fmt.Errorf("path needs the client its tokens are for: %w", err)
		}
		l.path, err = filepath.Abs(config.Path)
		return l, err
	}
	if config.ClientID != "" || config.Environment != "" || config.Address != "" {
		return l, errors.New("ClientID, Environment and Address go with Path only: keys name them otherwise")
	}
	if l.slug, err = slug(config.AppName); err != nil {
		return l, err
	}
	if config.Dir == "" {
		if config.Dir, err = appDir(); err != nil {
			return l, fmt.Errorf("no home directory to keep tokens in: %w; or set Dir or Path", err)
		}
	}
	l.dir, err = filepath.Abs(config.Dir)
	return l, err
}

// locate returns the path for a key, and the key with its defaults.
func (l layout) locate(key tokens.Key) (string, tokens.Key, error) {
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
		return "", key, fmt.Errorf("the address %s is too long for a file name: set Path", key.Address)
	}
	return filepath.Join(l.dir, key.ClientID, l.slug, name), key, nil
}

// maxName leaves room for the names of locks and temporary files, within the 255
// bytes of most file systems.
const maxName = 200

func whose(key tokens.Key) string {
	return strings.TrimSpace(fmt.Sprintf("client %s in %s %s", key.ClientID, key.Environment, key.Address))
}

// escape turns an address into a file name. It escapes capitals, because some
// file systems ignore case. url.PathUnescape reverses it.
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

// key is the inverse of locate; the zero key for other files.
func (l layout) key(client, name string) tokens.Key {
	stem, ok := strings.CutSuffix(name, l.extension)
	stem, escaped, _ := strings.Cut(stem, "@")
	address, err := url.PathUnescape(escaped)
	key := tokens.Key{ClientID: client, Environment: environment.Production, Address: address}
	if stem != "tokens" {
		key.Environment, ok = strings.CutSuffix(stem, "-tokens")
	}
	path, key, locateErr := l.locate(key)
	if !ok || err != nil || locateErr != nil || filepath.Base(path) != name {
		return tokens.Key{}
	}
	return key
}

// files returns the files that exist, or have a record, with their keys.
func (l layout) files() (map[string]tokens.Key, error) {
	if l.path != "" {
		return map[string]tokens.Key{l.path: l.only}, nil
	}
	found := map[string]tokens.Key{}
	clients, err := os.ReadDir(l.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, client := range clients {
		dir := filepath.Join(l.dir, client.Name(), l.slug)
		files, err := os.ReadDir(dir)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			name := strings.TrimSuffix(file.Name(), recordSuffix)
			if key := l.key(client.Name(), name); key != (tokens.Key{}) {
				found[filepath.Join(dir, name)] = key
			}
		}
	}
	return found, nil
}

// reserved are the names that Windows keeps for devices.
const reserved = " con prn aux nul com0 com1 com2 com3 com4 com5 com6 com7 com8 com9 lpt0 lpt1 lpt2 lpt3 lpt4 lpt5 lpt6 lpt7 lpt8 lpt9 "

// slug turns an app's name into a directory name, as the official Python SDK does.
func slug(appName string) (string, error) {
	name := strings.Map(func(r rune) rune {
		switch {
		case strings.ContainsRune(`<>:"/\|?*`, r):
			return '+'
		case r == '.', r == ' ':
			return '-'
		case !unicode.IsPrint(r), r == unicode.ReplacementChar:
			return -1
		}
		return r
	}, appName)
	// Python lowers this one letter to two code points, Go to one.
	name = strings.ToLower(strings.ReplaceAll(name, "\u0130", "i\u0307"))
	if name == "" {
		return "", errors.New("the app name leaves nothing for a file name: choose another")
	}
	if strings.Contains(reserved, " "+name+" ") {
		return "", fmt.Errorf("the app name gives the file name %q, which Windows reserves: choose another", name)
	}
	return name, nil
}
