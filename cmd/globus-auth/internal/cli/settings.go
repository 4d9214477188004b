package cli

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/globusauth/globusauth/app"
)

const (
	appName   = "globus-auth"
	maxSecret = 4 << 10

	tokenVariable  = "GLOBUS_AUTH_ACCESS_TOKEN"
	clientVariable = "GLOBUS_AUTH_CLIENT_ID"
	secretVariable = "GLOBUS_AUTH_CLIENT_SECRET"

	// itselfNamespace keeps the tokens of a client that acts as itself by the
	// variables above apart from those of people.
	itselfNamespace = "client-credentials"
)

// settings say which login a command line is about: what the flags that every
// verb takes say, or else the environment.
type settings struct {
	clientID, secretFile, profile, store, storeDir string

	secret string // of the environment; the client acts as itself
}

func (r *runner) settingsFlags(command *cobra.Command) {
	flags := command.PersistentFlags()
	flags.StringVar(&r.flags.clientID, "client-id", "", "client of the login (default the only one that is logged in)")
	flags.StringVar(&r.flags.secretFile, "client-secret-file", "", "file with the secret of the client, if it has one")
	flags.StringVar(&r.flags.profile, "profile", "", "name of one of several logins of the client")
	flags.StringVar(&r.flags.store, "store", "", "where tokens are kept: file, sqlite, keyring, or the path of a file (default file)")
	flags.StringVar(&r.flags.storeDir, "store-dir", "", "directory of the token files (default ~/.globus/app)")
}

// settings takes from the environment what no flag says.
func (r *runner) settings() (settings, error) {
	s := r.flags
	environment := settings{
		clientID: r.getenv(clientVariable), secretFile: r.getenv("GLOBUS_AUTH_CLIENT_SECRET_FILE"), profile: r.getenv("GLOBUS_AUTH_PROFILE"),
		store: r.getenv("GLOBUS_AUTH_STORE"), storeDir: r.getenv("GLOBUS_AUTH_STORE_DIR"), secret: r.getenv(secretVariable),
	}
	s.clientID = cmp.Or(s.clientID, environment.clientID)
	switch {
	case environment.secret == "" || s.secretFile != "" || s.clientID != environment.clientID:
		s.secretFile = cmp.Or(s.secretFile, environment.secretFile)
	case s.clientID == "":
		return s, usagef("%s is set and %s is not: a secret needs its client", secretVariable, clientVariable)
	case environment.secretFile != "":
		return s, usagef("%s and %s_FILE are both set: unset one", secretVariable, secretVariable)
	case strings.ContainsAny(environment.secret, " \t\r\n") || len(environment.secret) > maxSecret:
		return s, usagef("%s does not hold one secret alone", secretVariable)
	default:
		s.secret = environment.secret
	}
	s.profile = cmp.Or(s.profile, environment.profile)
	s.store = cmp.Or(s.store, environment.store)
	s.storeDir = cmp.Or(s.storeDir, environment.storeDir)
	return s, nil
}

// appConfig is the configuration of the app whose login the command line is about.
func (r *runner) appConfig() (app.Config, error) {
	var config app.Config
	s, err := r.settings()
	if err != nil {
		return config, err
	}
	base, err := r.config()
	if err != nil {
		return config, err
	}
	if config.Client, err = newClient(base); err != nil {
		return config, err
	}
	if config.Store, err = openStore(s, config.Client); err != nil {
		return config, err
	}
	config.ClientID, config.ClientSecret, config.Name, config.Namespace = s.clientID, s.secret, appName, s.profile
	config.Getenv = r.getenv
	switch {
	case s.secret != "":
		config.Namespace = strings.TrimSuffix(itselfNamespace+"/"+s.profile, "/")
	case s.secretFile != "":
		config.ClientSecret, err = readSecret(s.secretFile)
	}
	return config, err
}

// readSecret reads a secret from a file that only its owner can read, less the
// newline at its end.
func readSecret(path string) (string, error) {
	// A FIFO that nothing writes to is empty; without the flag it would be waited for.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return "", fmt.Errorf("read client secret: %w", err)
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return "", fmt.Errorf("read client secret: %w", err)
	}
	if mode := info.Mode(); mode.IsRegular() && mode.Perm()&0o077 != 0 && runtime.GOOS != "windows" {
		return "", usagef("--client-secret-file: others can read %s (mode %04o): run chmod 600 on it, and replace the secret if another user may have read it", path, mode.Perm())
	}
	text, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	switch secret := strings.TrimSpace(string(text)); {
	case err != nil:
		return "", fmt.Errorf("read client secret: %w", err)
	case secret == "" || len(text) > maxSecret || strings.ContainsAny(secret, " \t\r\n"):
		return "", usagef("--client-secret-file: %s does not hold one secret alone", path)
	default:
		return secret, nil
	}
}
