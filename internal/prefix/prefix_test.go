package prefix_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/globusauth/globusauth/internal/prefix"
)

func TestAdd_Table(t *testing.T) {
	t.Parallel()
	inner := fmt.Errorf("globusauth: Token: %w", context.Canceled)
	prefix.Add(&inner, "flows: refresh token")
	for want, err := range map[string]error{
		"app: log in: context canceled":                       context.Canceled,
		"app: log in: refresh token: Token: context canceled": inner,
		"app: log in: tls: bad certificate":                   errors.New("tls: bad certificate"),
		"app: log in: tokens":                                 errors.New("tokens"),
	} {
		added := err
		prefix.Add(&added, "app: log in")
		if added.Error() != want || !errors.Is(added, err) {
			t.Errorf("got %q, want %q", added, want)
		}
	}
	var none error
	if prefix.Add(&none, "app: log in"); none != nil {
		t.Errorf("an error out of nothing: %v", none)
	}
}

func TestAdd_JoinedErrors(t *testing.T) {
	t.Parallel()
	other := errors.New("tokens: other")
	err := errors.Join(nil, context.Canceled, nil, other)
	prefix.Add(&err, "app: log out")
	if err.Error() != "app: log out: context canceled; other" || !errors.Is(err, context.Canceled) || !errors.Is(err, other) || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %q", err)
	}
}
