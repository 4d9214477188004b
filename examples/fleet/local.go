package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"sync/atomic"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"

	"github.com/globusauth/globusauth/authtest"
)

const (
	replicas = 3
	workers  = 2
)

// local runs a fleet behind a load balancer at an address, until ctx ends.
func local(ctx context.Context, address string, out io.Writer) error {
	dir, err := os.MkdirTemp("", "fleet")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	ctx, stop := context.WithCancel(ctx)
	var children []*exec.Cmd
	defer func() { stop(); wait(children) }()
	start := func(env []string, name string, args ...string) error {
		child := exec.CommandContext(ctx, name, args...)
		child.Env, child.Stdout, child.Stderr = append(os.Environ(), env...), out, os.Stderr
		children = append(children, child)
		return child.Start()
	}

	// Redis, with its data in a temporary folder.
	redis, err := freeAddress(ctx)
	if err != nil {
		return err
	}
	host, port, _ := net.SplitHostPort(redis)
	if err := start(nil, "redis-server", "--bind", host, "--port", port, "--dir", dir, "--logfile", "log",
		"--appendonly", "yes", "--appendfsync", "always"); err != nil {
		return fmt.Errorf("redis-server does not start; on Debian: apt-get install redis-server: %w", err)
	}

	// A test double of Globus Auth, with the portal as a client.
	secret := rand.Text()
	site := "http://" + address
	globus, client, err := globusAuth(ctx, secret, site+"/callback")
	if err != nil {
		return err
	}

	keys, err := newKeyset()
	if err != nil {
		return err
	}
	env := []string{
		"REDIS_URL=redis://" + redis, "KEYSET=" + keys, "GLOBUS_SDK_SERVICE_URL_AUTH=" + globus,
		"CLIENT_ID=" + client, "CLIENT_SECRET=" + secret, "REDIRECT_URI=" + site + "/callback",
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	var portals []string
	for range replicas {
		replica, err := freeAddress(ctx)
		if err != nil {
			return err
		}
		portals = append(portals, replica)
		if err := start(env, self, "portal", replica); err != nil {
			return err
		}
	}
	for range workers {
		if err := start(env, self, "worker"); err != nil {
			return err
		}
	}
	for _, each := range append(portals, redis) {
		if err := ready(ctx, each); err != nil {
			return err
		}
	}

	// The load balancer sends each request to the next replica.
	var count atomic.Uint64
	balancer := &http.Server{Addr: address, ReadHeaderTimeout: 10 * time.Second, Handler: &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: portals[count.Add(1)%replicas]})
			r.Out.Host = r.In.Host
		},
	}}
	context.AfterFunc(ctx, func() { _ = balancer.Close() })
	_, _ = fmt.Fprintf(out, "Open %s/login, then reload the page: each time another process responds. Ctrl-C ends all.\n", site)
	return balancer.ListenAndServe()
}

func wait(children []*exec.Cmd) {
	for _, child := range children {
		_ = child.Wait()
	}
}

// globusAuth serves a test double. It returns its address and the ID of the client.
func globusAuth(ctx context.Context, secret, redirectURI string) (address, clientID string, err error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", "", err
	}
	address = "http://" + listener.Addr().String()
	globus, err := authtest.NewServer(authtest.Config{BaseURL: address, RotateRefreshTokens: true})
	if err != nil {
		return "", "", err
	}
	client := globus.AddClient(authtest.Client{Name: "Portal", Secret: secret, RedirectURIs: []string{redirectURI}})
	server := &http.Server{Handler: globus.Handler(), ReadHeaderTimeout: 10 * time.Second}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	go func() { _ = server.Serve(listener) }()
	return address, client.ID, nil
}

func newKeyset() (string, error) {
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return "", err
	}
	var text bytes.Buffer
	err = insecurecleartextkeyset.Write(handle, keyset.NewJSONWriter(&text))
	return text.String(), err
}

func freeAddress(ctx context.Context) (string, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String(), nil
}

// ready waits until a process listens.
func ready(ctx context.Context, address string) error {
	for deadline := time.Now().Add(10 * time.Second); ; {
		conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", address)
		if err == nil {
			return conn.Close()
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			return err
		}
		<-time.After(20 * time.Millisecond)
	}
}
