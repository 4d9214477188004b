package flows_test

import (
	"errors"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/globusauth/globusauth/flows"
	"github.com/globusauth/globusauth/scopes"
	"github.com/globusauth/globusauth/tokens"
)

func TestFinishRefusesBadAnswers(t *testing.T) {
	t.Parallel()
	good := func(changes object) object {
		answer := object{"access_token": "access-SECRET", "token_type": "Bearer", "expires_in": 60, "resource_server": "transfer.api.globus.org", "scope": "a"}
		maps.Copy(answer, changes)
		return answer
	}
	for name, test := range map[string]struct {
		answer any
		want   error
		text   string
	}{
		"no access token":      {good(object{"access_token": ""}), flows.ErrToken, "access_token"},
		"no resource server":   {good(object{"resource_server": ""}), flows.ErrToken, "resource server"},
		"empty object":         {object{}, flows.ErrToken, "access_token"},
		"empty list":           {[]object{}, flows.ErrToken, "access_token"},
		"MAC token":            {good(object{"token_type": "mac"}), flows.ErrToken, "Bearer"},
		"negative life":        {good(object{"expires_in": -1}), flows.ErrToken, "expires_in"},
		"life of a millennium": {good(object{"expires_in": 31_536_000_000}), flows.ErrToken, "expires_in"},
		"bad other token":      {good(object{"other_tokens": []object{good(object{"access_token": ""})}}), flows.ErrToken, "access_token"},
		"one server twice":     {good(object{"other_tokens": []object{good(nil)}}), nil, "two tokens"},
		"line end in a token":  {good(object{"access_token": "a\r\nb"}), nil, "RFC 6749"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProvider(t)
			portal := p.confidential(t)
			portal.Scopes = scopes.List{scopes.TransferAll}
			login := start(t, portal)
			callback := p.authorize(t, login)
			p.answer = func(received) (int, any) { return http.StatusOK, test.answer }
			set, err := login.Finish(t.Context(), callback)
			if err == nil || (test.want != nil && !errors.Is(err, test.want)) || !strings.Contains(err.Error(), test.text) {
				t.Errorf("error %v, want %v with %q", err, test.want, test.text)
			}
			if !set.Equal(tokens.Set{}) {
				t.Errorf("tokens %v, want none", set)
			}
		})
	}
}
