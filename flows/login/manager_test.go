package login_test

import (
	"context"
	"errors"
	"io"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/flows/login"
)

// visit plays the person who logs in, for a login.Func.
func (p *provider) visit(_ context.Context, link string) (*url.URL, error) {
	redirectURI, callback, err := p.authorize(link)
	if err != nil {
		return nil, err
	}
	return url.Parse(redirectURI + "?" + callback.Encode())
}

func TestFuncLogin_ReturnsCallback(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	set, _, err := login.Func(p.visit).Login(t.Context(), p.native(t))
	mustLogin(t, outcome{set, err})
	_, _, err = login.Func(func(context.Context, string) (*url.URL, error) { return nil, errTest }).Login(t.Context(), p.native(t))
	if !errors.Is(err, errTest) {
		t.Errorf("error %v", err)
	}
}

// The tokens that an exchange gives exist, whether or not the caller still waits.
func TestManagerLogin_ContextEndsDuringExchange(t *testing.T) {
	t.Parallel()
	for name, manager := range map[string]func(p *provider) login.Manager{
		"function": func(p *provider) login.Manager { return login.Func(p.visit) },
		"command line": func(p *provider) login.Manager {
			in, keyboard := io.Pipe()
			return login.CommandLine{In: in, Out: writerFunc(func(text string) {
				if _, link, found := strings.Cut(text, "http://"); found {
					callback, err := p.visit(context.Background(), "http://"+strings.Fields(link)[0])
					if err != nil {
						panic(err)
					}
					go func() { _, _ = io.WriteString(keyboard, callback.Query().Get("code")+"\n") }()
				}
			})}
		},
		"loopback": func(p *provider) login.Manager {
			return login.Loopback{Out: io.Discard, Open: func(link string) error {
				callback, err := p.visit(context.Background(), link)
				if err == nil {
					go func() { _, _ = get(callback.String()) }()
				}
				return err
			}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProvider(t)
			ctx, cancel := context.WithCancel(t.Context())
			p.exchanged = cancel
			set, _, err := manager(p).Login(ctx, p.native(t))
			mustLogin(t, outcome{set, err})
		})
	}
}

// A service that does not respond does not block the login for ever.
func TestManagerLogin_ContextEndsAndServiceHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &provider{Server: unreachable(), codes: map[string]url.Values{}}
		flow := p.native(t)
		client, err := globusauth.New(globusauth.Config{BaseURL: p.URL, HTTPClient: hanging(), Timeout: -1})
		if err != nil {
			t.Fatal(err)
		}
		flow.Auth = client
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begun := time.Now()
		_, _, err = login.Func(p.visit).Login(ctx, flow)
		if !errors.Is(err, context.Canceled) || time.Since(begun) != 31*time.Second {
			t.Errorf("error %v after %v", err, time.Since(begun))
		}
		// Nothing is sent for a caller who has stopped waiting before.
		_, _, err = login.Func(p.visit).Login(ctx, flow)
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) != 31*time.Second {
			t.Errorf("error %v after %v", err, time.Since(begun))
		}
	})
}
