//go:build unix

package main_test

import (
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/globusauth/globusauth/authtest"
	"github.com/globusauth/globusauth/scopes"
)

// A signal while a refresh token is being used does not lose the login: the
// command waits for the response, and the next process has a token. Every verb that uses
// a login does so.
func TestSignal_DuringARefresh(t *testing.T) {
	t.Parallel()
	verbs := [][]string{
		{"whoami"},
		{"token", scopes.AuthResourceServer},
		{"token", scopes.TransferResourceServer},
		{"session", "show"},
		{"identities", "alice@example.edu"},
		{"consents", "tree", "alice@example.edu"},
	}
	for _, kind := range []string{"file", "sqlite"} {
		for i, verb := range verbs {
			sent := []os.Signal{syscall.SIGTERM, os.Interrupt, syscall.SIGHUP}[i%3]
			t.Run(kind+" "+strings.Join(verb, " ")+" "+sent.String(), func(t *testing.T) {
				t.Parallel()
				m := newMachine(t, authtest.Config{RotateRefreshTokens: true})
				m.setenv("GLOBUS_AUTH_STORE", kind)
				m.logIn(m.store(kind), 72*3600e9)
				release := m.holdTokens()
				defer release()
				p := m.start(verb...)
				<-m.arrived // the old refresh token is used
				if err := p.Process.Signal(sent); err != nil {
					t.Fatal(err)
				}
				p.errs.waitFor(t, "waiting for the response to a request that renews a token")
				release()
				if err := p.Wait(); err == nil || p.ProcessState.ExitCode() != 130 {
					t.Errorf("ended with %v: %s", err, &p.errs)
				}
				for _, server := range []string{scopes.AuthResourceServer, scopes.TransferResourceServer} {
					m.must("token", server)
				}
				if refused := m.server.Stats().Grants["refresh_token"]["invalid_grant"]; refused != 0 {
					t.Errorf("%d refresh tokens were used twice", refused)
				}
			})
		}
	}
}

// A second signal ends the command at once.
func TestSignal_Twice(t *testing.T) {
	t.Parallel()
	m := newMachine(t, authtest.Config{})
	m.logIn(m.store("file"), 72*3600e9)
	release := m.holdTokens()
	defer release()
	p := m.start("whoami")
	<-m.arrived
	if err := p.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	p.errs.waitFor(t, "interrupt again to stop at once")
	if err := p.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	_ = p.Wait()
	if status, ok := p.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGINT {
		t.Errorf("ended with %v: %s", p.ProcessState, &p.errs)
	}
}
