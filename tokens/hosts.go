package tokens

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/globusauth/globusauth/internal/environment"
	"github.com/globusauth/globusauth/internal/origin"
)

// hostsFor returns the hosts a transport may send a token to, with their ports.
func hostsFor(config TransportConfig) ([]string, error) {
	known, err := environment.Hosts(config.Environment, config.ResourceServer)
	switch named := len(config.Hosts) > 0; {
	case err != nil && !named:
		return nil, fmt.Errorf("%w; or name the hosts in Hosts", err)
	case len(known) > 0 || named:
	case config.ResourceServer == "":
		return nil, errors.New("neither ResourceServer nor Hosts says where the token may go")
	default:
		return nil, fmt.Errorf("%q is not one of Globus's own services: name the hosts its token is for in Hosts", config.ResourceServer)
	}
	hosts := slices.Concat(config.Hosts, known)
	for i, text := range hosts {
		parsed, err := url.Parse("https://" + text)
		if err != nil || parsed.Hostname() == "" || parsed.Host != text || strings.Contains(text, "*") {
			return nil, fmt.Errorf("hosts: %q is not a host or host:port", text)
		}
		hosts[i] = origin.HostPort(parsed)
	}
	return hosts, nil
}
