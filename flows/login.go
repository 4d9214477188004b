package flows

import (
	"encoding/base64"
	"errors"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/globusauth/globusauth/internal/prefix"
)

const (
	storedFormat = "globusauth login 1"
	// maxSkew is how far the clocks of processes that share logins may differ.
	maxSkew = 5 * time.Minute
)

var errZeroLogin = errors.New("the login is a zero value; get one from Start or Resume")

// Login is one login that was started: its code verifier, state and nonce, and
// until when it can be finished. Any number can be in flight, and each is
// finished on its own.
//
// A Login is an immutable value, safe for concurrent use. It prints, logs and encodes
// without its content; [Login.MarshalStorage] has all of it. Since it does not change, it
// cannot tell whether it was finished before: a second Finish with the same callback asks
// the service again, which refuses a used code. Delete a stored login before finishing
// it.
type Login struct {
	// A func keeps what it returns out of every way of printing a value, also one
	// that sits in an unexported field of a caller's struct.
	held func() *started
}

// started is never changed once a Login holds it.
type started struct {
	flow     client
	url      string
	verifier string
	state    string
	nonce    string // empty when no ID token is asked for
	expiry   time.Time
}

// started returns an empty value for a zero Login.
func (l Login) started() *started {
	if l.held == nil {
		return &started{}
	}
	return l.held()
}

// URL is where to send the person's browser. It holds state and nonce: show it to
// that person alone. It is empty for a login that Resume has read.
func (l Login) URL() string { return l.started().url }

// State is the state parameter that the callback of this login carries: what tells
// the callbacks of several logins apart. Show it to the person's browser alone. It is
// empty for a zero Login.
func (l Login) State() string { return l.started().state }

// RedirectURI is where the browser is sent after the login: that of the flow, or the
// service's code page. It is empty for a zero Login.
func (l Login) RedirectURI() string { return l.started().flow.RedirectURI }

// stored is the storage form of a login, less its URL, which only Start's caller
// needs and which may be too long for a cookie.
type stored struct {
	Format      string `json:"format"`
	Issuer      string `json:"issuer"`
	ClientID    string `json:"client_id"`
	RedirectURI string `json:"redirect_uri"`
	Verifier    string `json:"code_verifier"`
	State       string `json:"state"`
	Nonce       string `json:"nonce,omitzero"`
	ExpiresAt   int64  `json:"expires_at"`
}

// MarshalStorage writes the login with all its secrets, about 500 bytes of JSON,
// for Resume to read in this process or another. It is neither encrypted nor
// authenticated; that is the caller's choice. Keep it where the person's browser
// alone can reach it and no other party can read or change it: in a server-side session,
// or in a cookie that is encrypted, authenticated and sent with SameSite=Lax.
// A party that can read it and the code can take the tokens; one that can replace it can
// log the person in as another user.
func (l Login) MarshalStorage() (_ []byte, err error) {
	defer prefix.Add(&err, "flows: store login")
	s := l.started()
	if s.flow.auth == nil {
		return nil, errZeroLogin
	}
	form := s.flow.storedForm()
	form.Verifier, form.State, form.Nonce, form.ExpiresAt = s.verifier, s.state, s.nonce, s.expiry.Unix()
	return json.Marshal(form)
}

// storedForm is what the logins of a client have in common.
func (c client) storedForm() stored {
	return stored{Format: storedFormat, Issuer: c.auth.Issuer(), ClientID: c.ClientID, RedirectURI: c.RedirectURI}
}

// Resume reads a login that [Login.MarshalStorage] wrote, in this process or
// another, and that a Config with the same Auth, ClientID and RedirectURI had
// started. The error is [ErrStored] or [ErrLoginExpired], and holds nothing of data.
func (c Config) Resume(data []byte) (_ Login, err error) {
	defer prefix.Add(&err, "flows: resume login")
	f, err := c.forLogin()
	if err != nil {
		return Login{}, err
	}
	var form stored
	// The decoder's text could quote the data.
	if json.Unmarshal(data, &form, json.RejectUnknownMembers(true)) != nil {
		return Login{}, ErrStored.Failed("not the JSON that MarshalStorage writes")
	}
	// Only what this flow can have written: the data may come from where others can write.
	now, expiry := f.auth.Now(), time.Unix(form.ExpiresAt, 0)
	common := form
	common.Verifier, common.State, common.Nonce, common.ExpiresAt = "", "", "", 0
	switch {
	case common != f.storedForm():
		return Login{}, ErrStored.Failed("it was not written by MarshalStorage for this issuer, ClientID and RedirectURI")
	case !isSecretText(form.Verifier) || !isSecretText(form.State) || !isSecretText(form.Nonce) && (form.Nonce != "" || asksForIDToken(c.Scopes)):
		return Login{}, ErrStored.Failed("its code verifier, state or nonce is missing or malformed")
	case expiry.After(now.Add(loginTimeout + maxSkew)):
		return Login{}, ErrStored.Failed("it ends later than in one hour; do the clocks of all processes agree?")
	case !now.Before(expiry):
		return Login{}, expired(expiry)
	}
	s := &started{flow: f, verifier: form.Verifier, state: form.State, nonce: form.Nonce, expiry: expiry}
	return Login{held: func() *started { return s }}, nil
}

func expired(expiry time.Time) error {
	return ErrLoginExpired.Failed("the login had to be finished by %s; start a new one", expiry.UTC().Format(time.RFC3339))
}

// isSecretText reports what oauth2.GenerateVerifier can have made: 43 characters of
// base64url (RFC 7636 section 4.1).
func isSecretText(text string) bool {
	decoded, err := base64.RawURLEncoding.DecodeString(text)
	return err == nil && len(decoded) == 32
}
