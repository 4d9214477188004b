package globusauth

import (
	"crypto/x509"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
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

// The variables of the environment that FromEnvironment reads. The official
// SDKs read the same ones.
const (
	envEnvironment = "GLOBUS_SDK_ENVIRONMENT"
	envAuthURL     = "GLOBUS_SDK_SERVICE_URL_AUTH"
	envTimeout     = "GLOBUS_SDK_HTTP_TIMEOUT"
	envVerifySSL   = "GLOBUS_SDK_VERIFY_SSL"
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
	if name := os.Getenv(envEnvironment); name != "" {
		if _, err := authURL(name); err != nil {
			problems = append(problems, fmt.Errorf("globusauth: %s: %w", envEnvironment, err))
		}
		config.Environment, config.read.environment = name, name
	}
	if base := os.Getenv(envAuthURL); base != "" {
		config.UnsafeAllowHTTP = true
		parsed, err := parseBaseURL(base, true)
		if err != nil {
			problems = append(problems, fmt.Errorf("globusauth: %s: %w", envAuthURL, err))
		}
		config.BaseURL, config.read.baseURL = parsed, parsed
	}
	timeout, err := parseTimeout(os.Getenv(envTimeout))
	if err != nil {
		problems = append(problems, fmt.Errorf("globusauth: %s: %w", envTimeout, err))
	}
	config.Timeout = timeout
	if err := config.setVerify(os.Getenv(envVerifySSL)); err != nil {
		problems = append(problems, fmt.Errorf("globusauth: %s: %w", envVerifySSL, err))
	}
	if len(problems) > 0 {
		return Config{}, errors.Join(problems...)
	}
	return config, nil
}

// source names the origin of the service's address.
func (c *Config) source(environment string) string {
	switch {
	case c.BaseURL != "" && c.BaseURL == c.read.baseURL:
		return envAuthURL
	case c.BaseURL != "":
		return "Config.BaseURL"
	case c.Environment != "" && c.Environment == c.read.environment:
		return "environment " + environment + " from " + envEnvironment
	}
	return "environment " + environment
}

func parseTimeout(value string) (time.Duration, error) {
	if value == "" {
		return 0, nil
	}
	seconds, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
	switch {
	case err != nil || math.IsNaN(seconds) || math.IsInf(seconds, 0):
		return 0, fmt.Errorf("%q is not a number of seconds", value)
	case seconds == -1:
		return -1, nil
	case seconds <= 0:
		return 0, fmt.Errorf("%q must be positive, or -1 for no limit", value)
	case seconds > math.MaxInt64/float64(time.Second):
		return 0, fmt.Errorf("%q is too long; use -1 for no limit", value)
	}
	return max(1, time.Duration(seconds*float64(time.Second))), nil
}

func (c *Config) setVerify(value string) error {
	word := strings.ToLower(value)
	switch {
	case value == "" || slices.Contains([]string{"y", "yes", "t", "true", "on", "1"}, word):
		return nil
	case slices.Contains([]string{"n", "no", "f", "false", "off", "0"}, word):
		c.UnsafeSkipTLSVerify = true
		return nil
	}
	info, err := os.Stat(value)                 //nolint:gosec // the user's own variable names the file
	if err == nil && !info.Mode().IsRegular() { // a FIFO may never begin, a device never end
		return fmt.Errorf("%q is not a regular file", value)
	}
	pem, err := os.ReadFile(value) //nolint:gosec // the user's own variable names the file
	if err != nil {
		return fmt.Errorf("not a boolean and not a readable file: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return fmt.Errorf("file %q has no CA certificate in PEM form", value)
	}
	c.RootCAs = pool
	return nil
}
