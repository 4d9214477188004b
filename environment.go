package globusauth

import (
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/globusauth/globusauth/internal/environment"
	"github.com/globusauth/globusauth/scopes"
)

// The environments of Globus. Production is the default.
const (
	Production = environment.Production
	Preview    = "preview"
)

// authURL returns the address of Globus Auth in an environment.
func authURL(name string) (string, error) {
	hosts, err := environment.Hosts(name, scopes.AuthResourceServer)
	if err != nil {
		return "", err
	}
	return "https://" + hosts[0] + "/", nil
}

// FromEnvironment returns a configuration filled from the variables that the
// official SDKs know. It is the only function of the library that reads the
// environment:
//
//   - GLOBUS_SDK_ENVIRONMENT: the name of the environment, default "production";
//   - GLOBUS_SDK_SERVICE_URL_AUTH: the address of the service, replacing the
//     environment's when not empty. It may be an http address, as with
//     [Config.UnsafeAllowHTTP];
//   - GLOBUS_SDK_HTTP_TIMEOUT: seconds for one attempt of a request, with
//     fractions; empty means 60, -1 no limit;
//   - GLOBUS_SDK_VERIFY_SSL: one of y, yes, t, true, on, 1 or n, no, f, false,
//     off, 0 in any case, or the path of a file of CA certificates in PEM.
//     When it is off, [New] logs a warning.
//
// An invalid value is an error that names the variable. Several errors are joined.
func FromEnvironment() (Config, error) {
	var config Config
	var problems []error
	for _, variable := range []struct {
		name string
		set  func(value string) error
	}{
		{"GLOBUS_SDK_ENVIRONMENT", config.setEnvironment},
		{"GLOBUS_SDK_SERVICE_URL_AUTH", config.setBaseURL},
		{"GLOBUS_SDK_HTTP_TIMEOUT", config.setTimeout},
		{"GLOBUS_SDK_VERIFY_SSL", config.setVerify},
	} {
		if value := os.Getenv(variable.name); value != "" {
			if err := variable.set(value); err != nil {
				problems = append(problems, fmt.Errorf("globusauth: %s: %w", variable.name, err))
			}
		}
	}
	return config, errors.Join(problems...)
}

func (c *Config) setEnvironment(name string) error {
	c.Environment = name
	_, err := authURL(name)
	return err
}

func (c *Config) setBaseURL(base string) error {
	c.BaseURL, c.UnsafeAllowHTTP = base, true
	_, err := parseBaseURL(base, true)
	return err
}

func (c *Config) setTimeout(value string) error {
	switch seconds, err := strconv.ParseFloat(strings.TrimSpace(value), 64); {
	case seconds == -1:
		c.Timeout = -1
	case err == nil && seconds > 0 && seconds < 1e9: // 31 years; a Duration has 292
		c.Timeout = max(1, time.Duration(seconds*float64(time.Second)))
	default:
		return fmt.Errorf("%q is not a positive number of seconds, or -1 for no limit", value)
	}
	return nil
}

func (c *Config) setVerify(value string) error {
	switch strings.ToLower(value) {
	case "y", "yes", "t", "true", "on", "1":
		return nil
	case "n", "no", "f", "false", "off", "0":
		c.UnsafeSkipTLSVerify = true
		return nil
	}
	// A pipe would have no end.
	if info, err := os.Stat(value); err == nil && !info.Mode().IsRegular() { //nolint:gosec // the user's own variable names the file
		return fmt.Errorf("not a boolean and not a readable file: %q is no regular file", value)
	}
	pem, err := os.ReadFile(value) //nolint:gosec // the user's own variable names the file
	if err != nil {
		return fmt.Errorf("not a boolean and not a readable file: %w", err)
	}
	c.RootCAs = x509.NewCertPool()
	if !c.RootCAs.AppendCertsFromPEM(pem) {
		return fmt.Errorf("file %q has no CA certificate in PEM form", value)
	}
	return nil
}
