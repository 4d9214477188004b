package idtoken

import (
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/globusauth/globusauth/unixtime"
)

// usualIdentities is room for the linked identities that most people have.
const usualIdentities = 4

// Claims are the claims of a verified ID token. Only the issuer, subject, audience,
// expiry and time of issue are always there; the others depend on the scopes asked
// for (profile, email, and Globus Auth's view_identity_set). A claim that is absent or
// null is the zero value.
//
// Claims hold neither the token nor its nonce. They are safe to read from several
// goroutines.
type Claims struct {
	Issuer          string        `json:"iss"`
	Subject         string        `json:"sub"` // the ID of the effective identity
	Audience        []string      `json:"aud"` // the wire form is a string or a list
	AuthorizedParty string        `json:"azp,omitzero"`
	Expiry          unixtime.Time `json:"exp"`
	IssuedAt        unixtime.Time `json:"iat"`
	NotBefore       unixtime.Time `json:"nbf,omitzero"`
	// AuthTime is the standard claim auth_time; LastAuthentication, below, is what
	// Globus Auth sends.
	AuthTime        unixtime.Time `json:"auth_time,omitzero"`
	AccessTokenHash string        `json:"at_hash,omitzero"`

	Name                        string        `json:"name,omitzero"`
	PreferredUsername           string        `json:"preferred_username,omitzero"`
	Email                       string        `json:"email,omitzero"`
	Organization                string        `json:"organization,omitzero"`
	IdentityProvider            string        `json:"identity_provider,omitzero"` // the provider's ID
	IdentityProviderDisplayName string        `json:"identity_provider_display_name,omitzero"`
	LastAuthentication          unixtime.Time `json:"last_authentication,omitzero"` // zero for never, as for clients

	// IdentitySet lists all linked identities, the effective one among them.
	IdentitySet []Identity `json:"identity_set,omitzero"`

	// payload gives the JSON that was verified. It is a function because that is what
	// no verb of fmt looks into.
	payload func() []byte
}

// Identity is one of the linked identities in [Claims.IdentitySet].
type Identity struct {
	Subject                     string        `json:"sub"`
	Username                    string        `json:"username"`
	Name                        string        `json:"name,omitzero"`
	Email                       string        `json:"email,omitzero"`
	Organization                string        `json:"organization,omitzero"`
	IdentityProvider            string        `json:"identity_provider,omitzero"`
	IdentityProviderDisplayName string        `json:"identity_provider_display_name,omitzero"`
	LastAuthentication          unixtime.Time `json:"last_authentication,omitzero"`
}

// Decode stores all claims of the verified token, those without a field in Claims
// included, into target, a pointer to a struct or map. It reads what Verify has
// verified and checks nothing again. Member names match exactly, in case as well.
func (c *Claims) Decode(target any) error {
	if c.payload == nil {
		return errors.New("idtoken: decode claims: these claims do not come from Verify")
	}
	if err := json.Unmarshal(c.payload(), target); err != nil {
		// The decoder's own text may quote a claim, and the nonce is one of them.
		if semantic, ok := errors.AsType[*json.SemanticError](err); ok {
			return fmt.Errorf("idtoken: decode claims: %q does not fit the Go type %v", semantic.JSONPointer, semantic.GoType)
		}
		return errors.New("idtoken: decode claims: they do not fit the target")
	}
	return nil
}

// document is the decoded payload of a token and, beside its claims, the members
// that are needed for checks alone.
type document struct {
	Claims

	WireAudience audience `json:"aud"`
	Nonce        string   `json:"nonce"`
}

// parseClaims decodes the payload of a token.
func parseClaims(payload []byte) (*document, error) {
	if deeperThan(payload, maxNesting) {
		return nil, refuse(errNesting, "the payload is nested deeper than %d levels", maxNesting)
	}
	parsed := new(document)
	parsed.IdentitySet = make([]Identity, 0, usualIdentities)
	if err := json.Unmarshal(payload, parsed); err != nil {
		return nil, refuseJSON("payload", err)
	}
	if len(parsed.IdentitySet) == 0 {
		parsed.IdentitySet = nil
	}
	parsed.Audience = parsed.WireAudience
	parsed.payload = func() []byte { return payload }
	return parsed, nil
}

// audience reads the claim aud, which is one string or a list of them (RFC 7519
// section 4.1.3).
type audience []string

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (a *audience) UnmarshalJSONFrom(decoder *jsontext.Decoder) error {
	token, err := decoder.ReadToken()
	if err != nil {
		return err
	}
	switch token.Kind() {
	case 'n':
		return nil
	case '"':
		*a = audience{token.String()}
		return nil
	case '[':
	default:
		return errAudience
	}
	for decoder.PeekKind() != ']' {
		if token, err = decoder.ReadToken(); err != nil {
			return err
		}
		if token.Kind() != '"' {
			return errAudience
		}
		*a = append(*a, token.String())
	}
	_, err = decoder.ReadToken()
	return err
}
