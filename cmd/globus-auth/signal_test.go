//go:build unix

package main_test

import (
	"os"
	"path/filepath"
	"runtime"
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

// A browser that ends on an error page of the service never comes back: the terminal says what to do, and Ctrl-C ends
// the command at once and leaves the login as it is.
func TestSignal_WhileTheBrowserShowsAnError(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("the browser is xdg-open")
	}
	m := newMachine(t, authtest.Config{})
	m.logIn(m.store("file"), 0)
	browser := t.TempDir()
	if err := os.WriteFile(filepath.Join(browser, "xdg-open"), []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	m.setenv("SSH_TTY", "")
	m.setenv("DISPLAY", ":0")
	m.setenv("PATH", browser+":"+os.Getenv("PATH"))
	before := m.must("tokens")
	for _, verb := range [][]string{
		{"session", "update", "--session-policies", "00000000-0000-4000-8000-000000000009"},
		{"session", "consent", "openid"},
		{"login"},
	} {
		p := m.start(verb...)
		p.errs.waitFor(t, "If the browser ends on an error page, press Ctrl-C")
		if err := p.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		_ = p.Wait()
		if code := p.ProcessState.ExitCode(); code != 130 || !strings.HasSuffix(p.errs.String(), "globus-auth: interrupted\n") {
			t.Errorf("%q: exit %d, %s", verb, code, &p.errs)
		}
	}
	if after := m.must("tokens"); after != before {
		t.Errorf("the login was %s, and is %s", before, after)
	}
}
