package tokens

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/globusauth/globusauth/internal/origin"
	"github.com/globusauth/globusauth/scopes"
)

// knownHosts returns the hosts of one of Globus's own services in an environment,
// none for a resource server that is not one of them.
func knownHosts(resourceServer, environment string) ([]string, error) {
	domain := ""
	switch environment {
	case "", defaultEnvironment:
		environment, domain = defaultEnvironment, "globus.org"
	case "preview":
		domain = "preview.globus.org"
	case "sandbox", "integration", "test", "staging":
		domain = environment + ".globuscs.info"
	default:
		return nil, fmt.Errorf("unknown environment %q: name the hosts in Hosts", environment)
	}
	automate := func(service string) []string {
		host := service + ".automate.globus.org"
		if environment != defaultEnvironment {
			host = environment + "." + host
		}
		return []string{host}
	}
	switch resourceServer {
	case scopes.AuthResourceServer:
		return []string{"auth." + domain}, nil
	case scopes.TransferResourceServer:
		if environment == defaultEnvironment {
			return []string{"transfer.api." + domain, "transfer.api.globusonline.org"}, nil
		}
		return []string{"transfer.api." + domain}, nil
	case scopes.GroupsResourceServer:
		return []string{"groups.api." + domain}, nil
	case scopes.SearchResourceServer:
		return []string{"search.api." + domain}, nil
	case scopes.ComputeResourceServer:
		return []string{"compute.api." + domain}, nil
	case scopes.FlowsResourceServer:
		return automate("flows"), nil
	case scopes.TimersResourceServer:
		return automate("timer"), nil
	case scopes.NexusResourceServer:
		if environment == defaultEnvironment {
			return []string{"nexus.api.globusonline.org"}, nil
		}
		return []string{"nexus.api." + domain}, nil
	}
	return nil, nil
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
	return origin.HostPort(parsed), nil
}

// hostsFor returns the hosts a transport may send a token to, sorted.
func hostsFor(config TransportConfig) ([]string, error) {
	var hosts []string
	for _, text := range config.Hosts {
		host, err := parseHost(text)
		if err != nil {
			return nil, fmt.Errorf("hosts: %w", err)
		}
		hosts = append(hosts, host)
	}
	if config.ResourceServer != "" {
		known, err := knownHosts(config.ResourceServer, config.Environment)
		if err != nil && len(hosts) == 0 {
			return nil, err
		}
		for _, host := range known {
			hosts = append(hosts, net.JoinHostPort(host, "443"))
		}
	}
	switch {
	case len(hosts) > 0:
		slices.Sort(hosts)
		return slices.Compact(hosts), nil
	case config.ResourceServer == "":
		return nil, errors.New("neither ResourceServer nor Hosts says where the token may go")
	}
	return nil, fmt.Errorf("%q is not one of Globus's own services: name the hosts its token is for in Hosts", config.ResourceServer)
}
