package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/gofrs/flock"
	"github.com/zalando/go-keyring"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/scopes"
	"github.com/globusauth/globusauth/tokens"
	"github.com/globusauth/globusauth/tokens/filestore"
)

// checkStore checks the token store, and then the login in it.
func (d *doctor) checkStore(ctx context.Context) {
	var err error
	if d.config.Store, err = d.openStore(d.config.Client); d.failed("token store", err, "") {
		return
	}
	dir, err := d.storePath()
	if d.failed("token store", err, "") {
		return
	}
	d.checkLocks(dir)
	d.checkKeyring()
	keys, err := d.config.Store.Keys(ctx)
	d.failed("logins", err, "")
	unusable := err != nil
	for _, key := range keys {
		_, err := d.config.Store.Load(ctx, key)
		unusable = d.failed("logins", err, "") || unusable
	}
	kind := "file"
	if d.store != "" {
		kind = d.store
	}
	if !unusable {
		d.found("logins", "ok", fmt.Sprintf("%d in %s (%s), readable only by you", len(keys), dir, kind), "")
	}
	if d.config.ClientID != "" || !unusable {
		d.checkLogin(ctx)
	}
}

// storePath is the directory of the token store.
func (d *doctor) storePath() (string, error) {
	if strings.ContainsRune(filepath.ToSlash(d.store), '/') {
		return filepath.Abs(filepath.Dir(d.store))
	}
	files, err := filestore.New(filestore.Config{AppName: appName, Dir: d.storeDir})
	if err != nil {
		return "", err
	}
	path, err := files.Path(tokens.Key{ClientID: "any"}) // DIR/any/globus-auth/tokens.json
	return filepath.Dir(filepath.Dir(filepath.Dir(path))), err
}

// checkSpace fills a file as an update of a login does, and closes it.
func (d *doctor) checkSpace(file *os.File) {
	_, err := file.Write(make([]byte, spaceNeeded))
	d.failed("space", cmp.Or(err, file.Close()), "make room on the disk, or choose another directory with --store-dir")
}

// spaceNeeded is the room that a change of a login needs on the disk, in bytes.
const spaceNeeded = 64 << 10

// checkLocks checks with two handles that a lock of a file excludes other processes. The file is
// in the directory of the store, or the one in which that will be created.
func (d *doctor) checkLocks(dir string) {
	for {
		if _, err := os.Stat(dir); err == nil || filepath.Dir(dir) == dir {
			break
		}
		dir = filepath.Dir(dir)
	}
	d.changeable("token store", dir)
	file, err := os.CreateTemp(dir, ".globus-auth-doctor-*")
	if d.failed("locks", err, "make the directory writable, or choose another with --store-dir") {
		return
	}
	defer func() { _ = os.Remove(file.Name()) }()
	d.checkSpace(file)
	one, other := flock.New(file.Name()), flock.New(file.Name())
	defer func() { _, _ = one.Unlock(), other.Unlock() }()
	const advice = "choose a directory on a local disk with --store-dir"
	first, err := one.TryLock()
	second := false
	if err == nil {
		second, err = other.TryLock()
	}
	switch {
	case errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.ENOLCK):
		d.found("locks", "warning", "the file system of "+dir+" has no locks: lock files are used, which a killed process leaves for two minutes", advice)
	case d.failed("locks", err, advice):
	case !first || second:
		d.found("locks", "failed", "locks in "+dir+" do not exclude other processes: two may refresh a login at once, and lose it", advice)
	default:
		d.found("locks", "ok", "the file system of "+dir+" has locks", "")
	}
}

// checkKeyring reads an item that does not exist.
func (d *doctor) checkKeyring() {
	if d.store != "keyring" {
		return
	}
	_, err := keyring.Get("globusauth", "doctor")
	if errors.Is(err, keyring.ErrNotFound) {
		err = nil
	}
	if !d.failed("keyring", err, "unlock the keyring, or choose another store with --store") {
		d.found("keyring", "ok", "can be used", "")
	}
}

// checkLogin checks the login that the other commands use.
func (d *doctor) checkLogin(ctx context.Context) {
	if d.config.ClientID == "" {
		client, err := d.onlyClient(ctx, d.config)
		if err != nil {
			d.found("login", "warning", d.text(err), "")
			return
		}
		d.config.ClientID = client
	}
	key := d.config.Client.TokenKey(d.config.ClientID, d.config.Namespace)
	set, err := d.config.Store.Load(ctx, key)
	service := d.config.Namespace != d.profile
	switch {
	case err != nil: // it is reported already
		return
	case len(set.All()) == 0 && service:
		d.found("login", "ok", "none is stored; the client gets tokens when they are needed", "")
		return
	case len(set.All()) == 0:
		d.found("login", "warning", d.text(d.errNotLoggedIn(d.config)), "")
		return
	}
	p := newProfile(key, set)
	d.found("login", "ok", fmt.Sprintf("%s, client %s", p.who(), p.ClientID), "")
	again := fmt.Sprintf("run %q", d.againWith(p.ClientID, "login"))
	for _, token := range set.All() {
		d.checkToken(token, service, again)
	}
	missing := []string{}
	for _, scope := range defaultScopes() {
		if _, err := set.ByScopes(scope); err != nil {
			missing = append(missing, string(scope))
		}
	}
	switch {
	case service:
	case len(missing) > 0:
		d.found("scopes", "warning", "the login lacks "+strings.Join(missing, ", ")+", which some commands need",
			fmt.Sprintf("run %q", d.again("session consent "+strings.Join(missing, " "))))
	default:
		d.found("scopes", "ok", "those that the commands need", "")
	}
	d.checkAccepted(ctx, set, again)
}

func (d *doctor) checkToken(token tokens.Token, service bool, again string) {
	left := token.Expiry.Sub(d.config.Client.Now()).Round(time.Minute)
	renewable := service || token.RefreshToken != ""
	status, detail, advice := "ok", token.ResourceServer+": valid until "+stamp(token.Expiry), ""
	switch {
	case token.Expiry.IsZero():
		detail = token.ResourceServer + ": its expiry is unknown"
	case left <= 0 && renewable:
		detail = token.ResourceServer + ": expired, and refreshed when it is needed"
	case left <= 0:
		status, detail, advice = "failed", token.ResourceServer+": expired, without a refresh token", again
	}
	d.found("token", status, detail, advice)
}

// checkAccepted asks the service whether it accepts the token. It is not refreshed for that.
func (d *doctor) checkAccepted(ctx context.Context, set tokens.Set, again string) {
	token, found := set.ByResourceServer(scopes.AuthResourceServer)
	switch {
	case !found:
		return
	case !d.online:
		d.found("accepted", "skipped", "needs the network", "")
		return
	case !token.Expiry.IsZero() && !d.config.Client.Now().Before(token.Expiry):
		d.found("accepted", "skipped", "the token has expired", "")
		return
	}
	ctx, cancel := context.WithTimeout(ctx, networkTimeout)
	defer cancel()
	_, err := d.config.Client.WithCredentials(globusauth.Bearer(token.AccessToken)).GetUserinfo(ctx)
	if !d.failed("accepted", err, again) {
		d.found("accepted", "ok", "the service accepts the token for "+scopes.AuthResourceServer, "")
	}
}
