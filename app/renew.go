package app

import (
	"context"

	"github.com/globusauth/globusauth/internal/prefix"
	"github.com/globusauth/globusauth/tokens"
)

// Renew renews every stored token of the client in this namespace now, also those that are not due,
// and returns what is stored then. It logs no person in. After an error, which names each token that could not be
// renewed, such as one without a refresh token, the others are renewed and stored all the same; they are in the set.
func (a *App) Renew(ctx context.Context) (_ tokens.Set, err error) {
	defer prefix.Add(&err, "app: renew")
	stored, err := a.config.Store.Load(ctx, a.key)
	if err != nil {
		return tokens.Set{}, err
	}
	if _, err := a.owner(stored); err != nil {
		return tokens.Set{}, err
	}
	if stored.Equal(tokens.Set{}) {
		return tokens.Set{}, required(ErrMissingToken, "log in first")
	}
	var problems []error
	for _, token := range stored.All() {
		if !a.service && token.RefreshToken == "" {
			problems = append(problems, required(ErrMissingRefreshToken, "for %q", token.ResourceServer))
			continue
		}
		s, err := a.source(token.ResourceServer)
		if err == nil {
			_, err = s.Refreshing.Renew(ctx, token)
		}
		problems = append(problems, err)
	}
	renewed, err := a.config.Store.Load(ctx, a.key)
	return renewed, prefix.Join(append(problems, err)...)
}
