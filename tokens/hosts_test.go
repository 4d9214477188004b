package tokens_test

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/globusauth/globusauth/tokens"
)

type closeNoter struct {
	io.Reader
	closed bool
}

func (c *closeNoter) Close() error { c.closed = true; return nil }

func TestTransportRoundTrip_OtherHost(t *testing.T) {
	t.Parallel()
	service := newRecorder(t)
	port := service.host()[strings.LastIndex(service.host(), ":"):]
	for name, row := range map[string]struct{ host, url, want string }{
		"other host":         {"api.example.org", service.URL, "not meant for " + service.host()},
		"other port":         {"api.example.org", "https://api.example.org:8443/x?token=SECRET", "not meant for api.example.org:8443"},
		"plain http":         {"api.example.org:80", "http://api.example.org/?token=SECRET", "over https only"},
		"http on https port": {"api.example.org", "http://api.example.org:443/", "over https only"},
		"subdomain":          {"example.org", "https://api.example.org", "not meant for api.example.org:443"},
		"suffix":             {"api.example.org", "https://evil-api.example.org", "not meant for"},
		"name in userinfo":   {"api.example.org", "https://api.example.org@evil.example/", "not meant for evil.example:443"},
		"like loopback":      {"127.0.0.1.example.org:80", "http://127.0.0.1.example.org/", "over https only"},
		"trailing dot":       {"api.example.org", "https://api.example.org./", "not meant for"},
		"other scheme":       {"localhost" + port, "ftp://localhost" + port, "over https only"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body := &closeNoter{Reader: strings.NewReader("body")}
			_, _, err := send(t, client(t, &fixed{token: bearer("A")}, row.host), http.MethodPost, row.url, body)
			var cause *url.Error
			if !errors.As(err, &cause) || !strings.Contains(cause.Err.Error(), row.want) {
				t.Fatalf("error %v, want one with %q", err, row.want)
			}
			if strings.Contains(cause.Err.Error(), "SECRET") {
				t.Errorf("the error shows the query: %v", cause.Err)
			}
			if !body.closed {
				t.Error("the body was not closed")
			}
		})
	}
}

func TestTransportRoundTrip_HTTPOnlyToLoopback(t *testing.T) {
	t.Parallel()
	for target, hosts := range map[string]string{
		"https://API.Example.ORG/path": "api.example.org",
		"https://api.example.org:443":  "Api.Example.org",
		"https://api.example.org:8443": "api.example.org:8443",
		"http://localhost:8080":        "localhost:8080",
		"http://127.8.8.8:8080":        "127.8.8.8:8080",
		"http://[::1]:8080":            "[::1]:8080",
	} {
		var got string
		transport, err := tokens.NewTransport(tokens.TransportConfig{
			Source: &fixed{token: bearer("A")}, Hosts: []string{hosts},
			Base: roundTrip(func(req *http.Request) (*http.Response, error) {
				got = req.Header.Get("Authorization")
				return &http.Response{StatusCode: 200, Body: http.NoBody, Request: req}, nil
			}),
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := send(t, &http.Client{Transport: transport}, http.MethodGet, target, nil); err != nil || got != "Bearer A" {
			t.Errorf("%s with %s: header %q, %v", target, hosts, got, err)
		}
	}
}

// The hosts of the services are those the official Python SDK computes.
func TestNewTransport_KnownServices(t *testing.T) {
	t.Parallel()
	servers := map[string]string{
		"auth": "auth.globus.org", "transfer": transfer, "groups": "groups.api.globus.org", "search": "search.api.globus.org",
		"flows": "flows.globus.org", "timer": "524230d7-ea86-4a52-8312-86065a9e0417", "compute": "funcx_service",
		"nexus": "nexus.api.globus.org",
	}
	var vectors struct {
		BaseURLs map[string]map[string]string `json:"base_urls"`
	}
	readFixture(t, "vectors.json", &vectors)
	if len(vectors.BaseURLs) != 6 {
		t.Fatalf("%d environments, want 6", len(vectors.BaseURLs))
	}
	for environment, urls := range vectors.BaseURLs {
		for service, server := range servers {
			var sent bool
			transport, err := tokens.NewTransport(tokens.TransportConfig{
				Source: &fixed{token: bearer("A")}, ResourceServer: server, Environment: environment,
				Base: roundTrip(func(req *http.Request) (*http.Response, error) {
					sent = req.Header.Get("Authorization") == "Bearer A"
					return &http.Response{StatusCode: 200, Body: http.NoBody, Request: req}, nil
				}),
			})
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := send(t, &http.Client{Transport: transport}, http.MethodGet, urls[service], nil); err != nil || !sent {
				t.Errorf("%s in %s: token sent %v, %v", service, environment, sent, err)
			}
		}
	}
}

func TestNewTransport_HostsAddToTheKnownOnes(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		server, environment string
		hosts               []string
		sent, refused       []string
	}{
		"transfer":             {transfer, "", nil, []string{transfer, "transfer.api.globusonline.org"}, []string{"mirror.example.org"}},
		"transfer and another": {transfer, "", []string{"mirror.example.org"}, []string{transfer, "transfer.api.globusonline.org", "mirror.example.org"}, nil},
		"transfer in preview": {
			transfer, "preview", nil, []string{"transfer.api.preview.globus.org"}, []string{transfer, "transfer.api.globusonline.org"},
		},
		"not a known service":     {"rs", "", []string{"mirror.example.org"}, []string{"mirror.example.org"}, []string{transfer}},
		"no known environment":    {transfer, "moon", []string{"mirror.example.org"}, []string{"mirror.example.org"}, []string{transfer}},
		"no resource server":      {"", "", []string{"mirror.example.org"}, []string{"mirror.example.org"}, []string{transfer}},
		"a known one named again": {transfer, "", []string{transfer}, []string{transfer}, []string{"mirror.example.org"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			transport, err := tokens.NewTransport(tokens.TransportConfig{
				Source: &fixed{token: bearer("A")}, ResourceServer: row.server, Environment: row.environment, Hosts: row.hosts,
				Base: roundTrip(func(req *http.Request) (*http.Response, error) {
					return &http.Response{StatusCode: 200, Body: http.NoBody, Request: req}, nil
				}),
			})
			if err != nil {
				t.Fatal(err)
			}
			client := &http.Client{Transport: transport}
			for _, host := range row.sent {
				if _, _, err := send(t, client, http.MethodGet, "https://"+host+"/", nil); err != nil {
					t.Errorf("%s: %v", host, err)
				}
			}
			for _, host := range row.refused {
				if _, _, err := send(t, client, http.MethodGet, "https://"+host+"/", nil); err == nil {
					t.Errorf("%s was sent the token", host)
				}
			}
		})
	}
}

func TestNewTransport_InvalidConfig(t *testing.T) {
	t.Parallel()
	good := tokens.TransportConfig{Source: &fixed{}, ResourceServer: transfer, Base: &http.Transport{}}
	for want, change := range map[string]func(*tokens.TransportConfig){
		"Source is nil":                          func(c *tokens.TransportConfig) { c.Source = nil },
		"Base is nil":                            func(c *tokens.TransportConfig) { c.Base = nil },
		"neither ResourceServer nor Hosts":       func(c *tokens.TransportConfig) { c.ResourceServer = "" },
		`"x" is not one of Globus's own`:         func(c *tokens.TransportConfig) { c.ResourceServer = "x" },
		`unknown environment "moon"`:             func(c *tokens.TransportConfig) { c.Environment = "moon" },
		`"https://a" is not a host or host:port`: func(c *tokens.TransportConfig) { c.Hosts = []string{"https://a"} },
		`"*.globus.org" is not a host`:           func(c *tokens.TransportConfig) { c.Hosts = []string{"*.globus.org"} },
		`"" is not a host`:                       func(c *tokens.TransportConfig) { c.Hosts = []string{""} },
		`"a/b" is not a host`:                    func(c *tokens.TransportConfig) { c.Hosts = []string{"a/b"} },
		`"u@h" is not a host`:                    func(c *tokens.TransportConfig) { c.Hosts = []string{"u@h"} },
		`"h:port" is not a host`:                 func(c *tokens.TransportConfig) { c.Hosts = []string{"h:port"} },
		`":80" is not a host`:                    func(c *tokens.TransportConfig) { c.Hosts = []string{":80"} },
	} {
		config := good
		change(&config)
		if _, err := tokens.NewTransport(config); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}
