package pgstore

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// fault is an error of PostgreSQL with what to do. Its text is one line; the cause's may be several.
type fault struct {
	text string
	err  error
}

func (f *fault) Error() string { return f.text }
func (f *fault) Unwrap() error { return f.err }

// explain adds what to do. No text of pgx holds the password, but a ConnectError has the configuration with it.
func explain(err error, table string) error {
	if err == nil {
		return nil
	}
	text := strings.Join(strings.Fields(err.Error()), " ")
	if todo := advice(err, table); todo != "" {
		text = todo + ": " + text
	}
	if failed, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		err = failed.Unwrap()
	}
	return &fault{text, err}
}

func advice(err error, table string) string {
	if reported, ok := errors.AsType[*pgconn.PgError](err); ok {
		return adviceFor(reported.Code, table)
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); !ok {
		return ""
	}
	var certificate *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	switch {
	case strings.Contains(err.Error(), "server refused TLS"):
		return "PostgreSQL does not offer TLS, which the connection's sslmode requires: turn it on there (ssl = on)"
	case errors.As(err, &certificate), errors.As(err, &authority):
		return "the certificate of PostgreSQL cannot be verified: set sslrootcert, and connect by the name in the certificate"
	}
	return "PostgreSQL cannot be reached: is it running, and are host and port right?"
}

// adviceFor is by SQLSTATE: https://www.postgresql.org/docs/current/errcodes-appendix.html
func adviceFor(code, table string) string {
	for codes, advice := range map[string]string{
		"28P01":                   "PostgreSQL refused the user or the password: correct them in the connection string",
		"28000":                   "PostgreSQL refused the login: check the user, pg_hba.conf, and whether it demands TLS",
		"3D000":                   "the database does not exist: create it, or correct its name in the connection string",
		"42P01 3F000":             "the table " + table + " does not exist: call pgstore.Migrate once, or correct Config.Prefix",
		"42703 42P10 42804":       "the table " + table + " has other columns: choose another Config.Prefix",
		"42501":                   "the role lacks rights: GRANT SELECT, INSERT, UPDATE, DELETE ON " + table + " to it; only pgstore.Migrate needs CREATE",
		"25006":                   "this PostgreSQL is read-only, such as a standby: connect to the primary, with target_session_attrs=read-write",
		"53100":                   "the disk of PostgreSQL is full: free space on it",
		"53300":                   "PostgreSQL has no connection left: raise max_connections, or lower pool_max_conns of its clients",
		"57014 55P03 25P03 57P05": "PostgreSQL ended the statement for its time limit: look for load and locks, or raise statement_timeout and lock_timeout",
		"57P01 57P02 57P03":       "PostgreSQL is starting or stopping: try again",
	} {
		if code != "" && strings.Contains(codes, code) {
			return advice
		}
	}
	return ""
}

// permanent reports wrong data, rights, tables and statements. All else may go away.
func permanent(err error) bool {
	reported, ok := errors.AsType[*pgconn.PgError](err)
	return ok && len(reported.Code) == 5 && (reported.Code[:2] == "22" || reported.Code[:2] == "23" || reported.Code[:2] == "42")
}
