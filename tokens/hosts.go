package tokens

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/globusauth/globusauth/internal/environment"
	"github.com/globusauth/globusauth/internal/origin"
)

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
		known, err := environment.Hosts(config.Environment, config.ResourceServer)
		if err != nil && len(hosts) == 0 {
			return nil, fmt.Errorf("%w; or name the hosts in Hosts", err)
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
