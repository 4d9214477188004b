package idtoken

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/globusauth/globusauth/gen"
	"github.com/globusauth/globusauth/internal/check"
	"github.com/globusauth/globusauth/internal/lenient"
	"github.com/globusauth/globusauth/unixtime"
)

// usualIdentities is room for the linked identities that most people have.
const usualIdentities = 4

// Claims are the claims of a verified ID token. Only the issuer, subject, audience,
// expiry and time of issue are always there; the others depend on the scopes asked
// for (profile, email, and Globus Auth's view_identity_set). A claim that is absent or
// null is the zero value, and so is one that no check needs and that has another JSON
// type than its field; [Claims.Decode] still has it.
//
// Claims show neither the token nor its nonce. They are safe to read from several
// goroutines.
type Claims struct {
	// Userinfo has the claims about the user. Sub is the ID of the effective identity.
	// IdentitySet lists all linked identities that have a sub, the effective one
	// included.
	gen.Userinfo

	Issuer          string        `json:"iss"`
	Audience        []string      `json:"aud"` // the wire form is a string or a list
	AuthorizedParty string        `json:"azp,omitzero"`
	Expiry          unixtime.Time `json:"exp"`
	IssuedAt        unixtime.Time `json:"iat"`
	NotBefore       unixtime.Time `json:"nbf,omitzero"`
	// AuthTime is the standard claim auth_time; Globus Auth sends LastAuthentication.
	AuthTime        unixtime.Time `json:"auth_time,omitzero"`
	AccessTokenHash string        `json:"at_hash,omitzero"`

	// raw returns the token that was verified. It is a function because no verb of fmt
	// looks into one.
	raw func() string
}

// Decode stores all claims of the verified token, those without a field in Claims
// included, into target, a pointer to a struct or map. It reads what Verify has
// verified and checks nothing again. Names match exactly, in case as well.
func (c *Claims) Decode(target any) error {
	if c.raw == nil {
		return errors.New("idtoken: decode claims: these claims do not come from Verify")
	}
	payload, err := strict().DecodeString(strings.Split(c.raw(), ".")[1])
	if err == nil {
		err = json.Unmarshal(payload, target)
	}
	if err != nil {
		// The decoder's own text may quote a claim, and the nonce is one of them.
		if semantic, ok := errors.AsType[*json.SemanticError](err); ok {
			return fmt.Errorf("idtoken: decode claims: %q does not fit the Go type %v", semantic.JSONPointer, semantic.GoType)
		}
		return errors.New("idtoken: decode claims: they do not fit the target")
	}
	return nil
}

// document is the decoded payload of a token and, beside its claims, what is needed for
// checks alone.
type document struct {
	Claims

	WireAudience audience `json:"aud"`
	WireAuthTime authTime `json:"auth_time"`
	Nonce        string   `json:"nonce"`
}

// parseClaims decodes the payload of a token.
func parseClaims(payload []byte) (*document, error) {
	parsed := new(document)
	parsed.IdentitySet = make([]gen.LinkedIdentity, 0, usualIdentities)
	err := decodeJSON("payload", payload, parsed)
	if err != nil && errors.Is(err, check.New("format")) { // Decoding leniently is slower.
		parsed = new(document)
		err = decodeJSON("payload", payload, parsed, json.WithUnmarshalers(lenient.Values(odd)))
	}
	if err != nil {
		return nil, err
	}
	parsed.IdentitySet = slices.DeleteFunc(parsed.IdentitySet, func(i gen.LinkedIdentity) bool { return i.Sub == "" })
	if len(parsed.IdentitySet) == 0 {
		parsed.IdentitySet = nil
	}
	parsed.Audience, parsed.AuthTime = parsed.WireAudience, parsed.WireAuthTime.Time
	return parsed, nil
}

// odd judges a value that is not of the type of its field: where a check needs it, it is a
// [CheckError] of its name. Any other reads as absent.
func odd(decoder *jsontext.Decoder) error {
	switch decoder.StackDepth() {
	case 0:
		return errors.New("not an object")
	case 1:
		switch name := decoder.StackPointer().LastToken(); name {
		case "iss", "sub", "aud", "azp", "exp", "iat", "nbf", "nonce", "at_hash":
			return check.New(name)
		}
	}
	return nil
}

// audience reads the claim aud, which is one string or a list of them (RFC 7519
// section 4.1.3).
type audience []string

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (a *audience) UnmarshalJSONFrom(decoder *jsontext.Decoder) error {
	if decoder.PeekKind() == '"' {
		*a = make(audience, 1)
		return json.UnmarshalDecode(decoder, &(*a)[0])
	}
	return json.UnmarshalDecode(decoder, (*[]string)(a))
}

// authTime reads the claim auth_time, which only a check of the age needs.
type authTime struct {
	unixtime.Time

	odd bool // not a time
}

// UnmarshalJSON implements json.Unmarshaler.
func (a *authTime) UnmarshalJSON(text []byte) error {
	a.odd = a.Time.UnmarshalJSON(text) != nil
	return nil
}
