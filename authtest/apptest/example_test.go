package apptest_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/globusauth/globusauth/app"
	"github.com/globusauth/globusauth/authtest"
	"github.com/globusauth/globusauth/authtest/apptest"
	"github.com/globusauth/globusauth/scopes"
)

// stand stands for the *testing.T of a test.
type stand struct {
	testing.TB
	cleanup []func()
}

func (*stand) Helper()            {}
func (t *stand) Cleanup(f func()) { t.cleanup = append(t.cleanup, f) }

func (t *stand) end() {
	for _, f := range t.cleanup {
		f()
	}
}

// Log a user in and call Globus Auth, without a browser.
func Example() {
	t := &stand{} // in a test, its *testing.T
	defer t.end()
	server := authtest.New(t)
	config := apptest.Config(t, server, "alice@example.edu")
	config.Scopes = scopes.List{scopes.AuthProfile}
	user, err := app.NewUser(config)
	if err != nil {
		fmt.Println(err)
		return
	}
	info, err := user.AuthClient().GetUserinfo(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(info.PreferredUsername, "is", info.Name)
	// Output: alice@example.edu is Alice Adams
}
