package cli

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/globusauth/globusauth/gen"
	"github.com/globusauth/globusauth/idtoken"
	"github.com/globusauth/globusauth/internal/origin"
)

const (
	networkTimeout = 10 * time.Second // of one request
	// Tokens are renewed a minute before they expire, and ID tokens are accepted for five minutes
	// of difference (idtoken.Options).
	skewWarned, skewFailed = time.Minute, 5 * time.Minute
)

// checkNetwork checks what can be known without credentials: the way to the service, its clock, its
// discovery document and its keys.
func (d *doctor) checkNetwork(ctx context.Context) {
	base, err := url.Parse(d.config.Client.BaseURL())
	if d.failed("network", err, "") {
		return
	}
	d.checkProxy(base)
	started := d.config.Client.Now()
	document, header, err := d.get(ctx, base.JoinPath(".well-known/openid-configuration").String())
	ended := d.config.Client.Now()
	if err != nil {
		detail, advice := d.unreachable(err)
		d.found("network", "failed", detail, advice)
		for _, check := range []string{"clock", "discovery", "keys"} {
			d.found(check, "skipped", "needs the network", "")
		}
		return
	}
	d.online = true
	d.found("network", "ok", fmt.Sprintf("response after %v", ended.Sub(started).Round(time.Millisecond)), "")
	d.checkClock(header, started, ended)
	var configuration gen.OpenIDConfiguration
	switch {
	case json.Unmarshal(document, &configuration) != nil || configuration.TokenEndpoint == "" || configuration.JWKSURI == "":
		d.found("discovery", "failed", "the response is not a discovery document", "check the address of the service, and whether a proxy or a login page of the network responds")
		d.found("keys", "skipped", "needs the discovery document", "")
		return
	case strings.TrimSuffix(configuration.Issuer, "/") != d.config.Client.Issuer():
		d.found("discovery", "failed", fmt.Sprintf("the issuer is %q, not %q", configuration.Issuer, d.config.Client.Issuer()), "check the address of the service")
	default:
		d.found("discovery", "ok", "the issuer is "+configuration.Issuer, "")
	}
	d.checkKeys(ctx, base, configuration.JWKSURI)
}

// checkProxy reports the proxy of requests to the service. The standard library ignores a variable that is
// not a URL.
func (d *doctor) checkProxy(base *url.URL) {
	proxy, err := http.ProxyFromEnvironment(&http.Request{URL: base})
	variable := strings.ToUpper(base.Scheme) + "_PROXY"
	value := d.getenv(variable) + d.getenv(strings.ToLower(variable))
	exempt := origin.Loopback(base.Hostname()) || d.getenv("NO_PROXY")+d.getenv("no_proxy") != ""
	switch {
	case err != nil || proxy == nil && value != "" && !exempt: // the text of the error may have a password
		d.found("proxy", "warning", variable+" is not a URL, and ignored", "correct it, such as http://proxy.example.edu:3128")
	case proxy == nil && value != "":
		d.found("proxy", "ok", "none, because NO_PROXY excludes the host, as loopback addresses always are", "")
	case proxy == nil:
		d.found("proxy", "ok", "none", "")
	default:
		d.found("proxy", "ok", proxy.Scheme+"://"+proxy.Host, "")
	}
}

// checkClock compares the clock of this machine with that of the service, whose header Date has whole
// seconds.
func (d *doctor) checkClock(header http.Header, started, ended time.Time) {
	date, err := http.ParseTime(header.Get("Date"))
	if err != nil {
		d.found("clock", "skipped", "the response has no date", "")
		return
	}
	// The clock is within the limits if the header was written at any time between request and response.
	skew := time.Duration(0)
	if early := date.Sub(started); early < -time.Second {
		skew = early
	} else if late := date.Sub(ended); late > 0 {
		skew = late
	}
	behind := skew > 0
	skew = skew.Abs().Round(time.Second)
	direction := "ahead of"
	if behind {
		direction = "behind"
	}
	detail := fmt.Sprintf("%v %s the service", skew, direction)
	const advice = "set the clock of this machine, such as with NTP"
	switch {
	case skew >= skewFailed:
		d.found("clock", "failed", detail+": ID tokens may be refused", advice)
	case skew >= skewWarned:
		d.found("clock", "warning", detail+": tokens may expire before they are refreshed", advice)
	case skew == 0:
		d.found("clock", "ok", "as that of the service", "")
	default:
		d.found("clock", "ok", detail, "")
	}
}

func (d *doctor) checkKeys(ctx context.Context, base *url.URL, address string) {
	keys, err := url.Parse(address)
	if err != nil || keys.Host != base.Host {
		d.found("keys", "failed", "the keys are on another host than the service", "check the address of the service")
		return
	}
	set, _, err := d.get(ctx, address)
	if err != nil {
		detail, advice := d.unreachable(err)
		d.found("keys", "failed", detail, advice)
		return
	}
	if _, err = idtoken.New(idtoken.Config{ClientID: "any", Options: idtoken.Options{JWKS: set}}); err != nil {
		d.found("keys", "failed", "the response has no usable key", "no ID token can be verified: try again later, or ask the operator of the service")
		return
	}
	var list gen.JSONWebKeySet
	_ = json.Unmarshal(set, &list)
	d.found("keys", "ok", fmt.Sprintf("%d for ID tokens", len(list.Keys)), "")
}

// get requests a public document once, without retries.
func (d *doctor) get(ctx context.Context, address string) (text []byte, header http.Header, err error) {
	ctx, cancel := context.WithTimeout(ctx, networkTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return nil, nil, err
	}
	resp, err := d.config.Client.HTTPClient().Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, nil, fmt.Errorf("the service responds with %s", resp.Status)
	}
	text, err = io.ReadAll(io.LimitReader(resp.Body, maxInput))
	return text, resp.Header, err
}

// unreachable says why there is no response, and what to do.
func (d *doctor) unreachable(err error) (detail, advice string) {
	if outer, ok := errors.AsType[*url.Error](err); ok {
		err = outer.Err
	}
	name, unknown := errors.AsType[*net.DNSError](err)
	connection, refused := errors.AsType[*net.OpError](err)
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	switch {
	case unknown:
		return fmt.Sprintf("the host %s is not found", cell(name.Name)), "check the network, DNS, and the address of the service"
	case untrusted:
		return d.text(err), "let GLOBUS_SDK_VERIFY_SSL name a file with the CA certificate of your network"
	case refused && connection.Op == "proxyconnect":
		return d.text(err), "check the proxy in HTTPS_PROXY"
	case refused:
		return d.text(err), "check the network; behind a firewall, set HTTPS_PROXY to its proxy"
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Sprintf("no response within %v", networkTimeout), "check the network; behind a firewall, set HTTPS_PROXY to its proxy"
	}
	return d.text(err), "try again later, or check the address of the service"
}
