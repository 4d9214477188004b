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
	var domain string
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
	prefix := ""
	if environment != defaultEnvironment {
		prefix = environment + "."
	}
	host := map[string]string{
		scopes.AuthResourceServer:     "auth." + domain,
		scopes.TransferResourceServer: "transfer.api." + domain,
		scopes.GroupsResourceServer:   "groups.api." + domain,
		scopes.SearchResourceServer:   "search.api." + domain,
		scopes.ComputeResourceServer:  "compute.api." + domain,
		scopes.FlowsResourceServer:    prefix + "flows.automate.globus.org",
		scopes.TimersResourceServer:   prefix + "timer.automate.globus.org",
		scopes.NexusResourceServer:    "nexus.api." + domain,
	}[resourceServer]
	switch {
	case host == "":
		return nil, nil
	case environment == defaultEnvironment && resourceServer == scopes.TransferResourceServer:
		return []string{host, "transfer.api.globusonline.org"}, nil
	case environment == defaultEnvironment && resourceServer == scopes.NexusResourceServer:
		return []string{"nexus.api.globusonline.org"}, nil
	}
	return []string{host}, nil
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
