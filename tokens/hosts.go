package tokens

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/globusauth/globusauth/scopes"
)

// knownHost returns the host of one of Globus's own services in an environment,
// "" for a resource server that is not one of them.
func knownHost(resourceServer, environment string) (string, error) {
	domain := ""
	switch environment {
	case "", defaultEnvironment:
		environment, domain = defaultEnvironment, "globus.org"
	case "preview":
		domain = "preview.globus.org"
	case "sandbox", "integration", "test", "staging":
		domain = environment + ".globuscs.info"
	default:
		return "", fmt.Errorf("unknown environment %q: name the hosts in Hosts", environment)
	}
	automate := func(service string) string {
		host := service + ".automate.globus.org"
		if environment != defaultEnvironment {
			host = environment + "." + host
		}
		return host
	}
	switch resourceServer {
	case scopes.AuthResourceServer:
		return "auth." + domain, nil
	case scopes.TransferResourceServer:
		return "transfer.api." + domain, nil
	case scopes.GroupsResourceServer:
		return "groups.api." + domain, nil
	case scopes.SearchResourceServer:
		return "search.api." + domain, nil
	case scopes.ComputeResourceServer:
		return "compute.api." + domain, nil
	case scopes.FlowsResourceServer:
		return automate("flows"), nil
	case scopes.TimersResourceServer:
		return automate("timer"), nil
	case scopes.NexusResourceServer:
		if environment == defaultEnvironment {
			return "nexus.api.globusonline.org", nil
		}
		return "nexus.api." + domain, nil
	}
	return "", nil
}

// parseHost reads "host" or "host:port" as a caller names it.
func parseHost(text string) (string, error) {
	if text == "" || strings.ContainsAny(text, "/@?#* \t\r\n") {
		return "", fmt.Errorf("%q is not a host or host:port", text)
	}
	parsed, err := url.Parse("https://" + text)
	if err != nil || parsed.Hostname() == "" || parsed.Host != text {
		return "", fmt.Errorf("%q is not a host or host:port", text)
	}
	return canonicalHost(parsed), nil
}

// canonicalHost returns host:port in lower case; no port is https's.
func canonicalHost(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = "443"
		if u.Scheme == "http" {
			port = "80"
		}
	}
	return net.JoinHostPort(strings.ToLower(u.Hostname()), port)
}

// loopback reports hosts that stay on this machine, where http is as good as https.
func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.IsLoopback()
}

// hostsFor returns the hosts a transport may send a token to, sorted.
func hostsFor(config TransportConfig) ([]string, error) {
	if len(config.Hosts) > 0 {
		hosts := make([]string, len(config.Hosts))
		for i, text := range config.Hosts {
			host, err := parseHost(text)
			if err != nil {
				return nil, fmt.Errorf("hosts: %w", err)
			}
			hosts[i] = host
		}
		slices.Sort(hosts)
		return slices.Compact(hosts), nil
	}
	if config.ResourceServer == "" {
		return nil, errors.New("neither ResourceServer nor Hosts says where the token may go")
	}
	host, err := knownHost(config.ResourceServer, config.Environment)
	if err != nil {
		return nil, err
	}
	if host == "" {
		return nil, fmt.Errorf("%q is not one of Globus's own services: name the hosts its token is for in Hosts", config.ResourceServer)
	}
	return []string{net.JoinHostPort(host, "443")}, nil
}
