package guard

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/globusauth/globusauth/scopes"
)

// maxConfig limits the configuration file, in bytes.
const maxConfig = 1 << 20

// Config is the configuration file. The tag doc is the description in the JSON schema.
type Config struct {
	ClientID         string `yaml:"client_id" doc:"ID of the API's client. Tokens must be issued for it." required:"true"`
	ClientSecretFile string `yaml:"client_secret_file" doc:"File with the secret of the client. Without it, the variable GLOBUS_AUTH_CLIENT_SECRET has the secret."`

	ForwardAuth string `yaml:"forward_auth" doc:"Check requests for this proxy, which passes them to the program. It also says which headers have the method and URI of the request: X-Original-Method and X-Original-URI for nginx, X-Forwarded-Method and X-Forwarded-Uri for traefik and caddy. Set this or upstream." enum:"nginx,traefik,caddy"`
	Upstream    string `yaml:"upstream" doc:"Pass allowed requests to the program at this URL. Set this or forward_auth."`

	Listen string `yaml:"listen" doc:"Address and port for requests. Default 127.0.0.1:4180."`
	Admin  string `yaml:"admin" doc:"Address and port for /healthz, /metrics and /jwks.json. Default 127.0.0.1:4181."`
	TLS    *TLS   `yaml:"tls" doc:"Serve requests with TLS and HTTP/2."`

	PassAuthorization bool     `yaml:"pass_authorization" doc:"Pass the Authorization header to upstream. Default false, so that the program never sees the token."`
	MaxBodyBytes      int64    `yaml:"max_body_bytes" doc:"Largest body of a request to upstream. Default no limit; bodies are streamed."`
	UpstreamTimeout   Duration `yaml:"upstream_timeout" doc:"How long upstream may take until the header of its response. Default 60s."`

	CacheTime Duration   `yaml:"cache_time" doc:"How long a token is accepted without asking Globus Auth again. Default 30s, at most 1h."`
	CacheSize int        `yaml:"cache_size" doc:"Maximum number of tokens in the cache. Default 10000."`
	Assertion *Assertion `yaml:"assertion" doc:"Add the header X-Globus-Assertion, a signed JWT about the caller."`

	Rules  Rules   `yaml:"rules" doc:"Rules of every request with a token."`
	Routes []Route `yaml:"routes" doc:"Rules by method and path. Requests that match no route are denied. Without routes, the rules apply to every request."`
}

// TLS is the certificate of the guard.
type TLS struct {
	CertificateFile string `yaml:"certificate_file" doc:"File with the certificate chain in PEM." required:"true"`
	KeyFile         string `yaml:"key_file" doc:"File with the private key in PEM." required:"true"`
}

// Assertion configures the signed header.
type Assertion struct {
	KeyFile  string   `yaml:"key_file" doc:"File with the private key in PEM or JWK: Ed25519 (EdDSA), EC P-256 (ES256) or RSA (RS256). The public key is at /jwks.json of the admin address." required:"true"`
	Audience string   `yaml:"audience" doc:"Audience (aud) of the JWT, such as the URL of the program." required:"true"`
	Issuer   string   `yaml:"issuer" doc:"Issuer (iss) of the JWT. Default globus-auth-guard."`
	Lifetime Duration `yaml:"lifetime" doc:"Lifetime of the JWT. Default 1m, at most 1h."`
}

// Rules are conditions that a caller must meet, all of them.
type Rules struct {
	AllScopes  []scopes.Scope `yaml:"all_scopes" doc:"The token has all of these scopes."`
	AnyScope   []scopes.Scope `yaml:"any_scope" doc:"The token has one of these scopes."`
	Policies   []string       `yaml:"policies" doc:"The session satisfies all authentication policies with these IDs."`
	Fresh      Duration       `yaml:"fresh" doc:"The session has an authentication that is at most this old."`
	MFA        bool           `yaml:"mfa" doc:"The session has an authentication with multiple factors."`
	Domains    []string       `yaml:"domains" doc:"The session has an authentication with a username in one of these domains."`
	Providers  []string       `yaml:"providers" doc:"The session has an authentication by one of the identity providers with these IDs."`
	Identities []string       `yaml:"identities" doc:"The session has an authentication with one of the identities with these IDs."`
	Groups     []string       `yaml:"groups" doc:"The caller is an active member of one of the groups with these IDs."`
	Principals []string       `yaml:"principals" doc:"The caller is one of these principals, such as urn:globus:auth:identity:ID, urn:globus:groups:id:ID or all_authenticated_users."`
	Clients    []string       `yaml:"clients" doc:"The token was issued to one of the clients with these IDs."`
	Services   []string       `yaml:"services" doc:"The service accounts with these client IDs need not meet policies, fresh, mfa, domains, providers and identities of the same block."`
}

// Route is the rules of some requests.
type Route struct {
	Pattern  string `yaml:"pattern" doc:"Method and path as in net/http.ServeMux: /jobs/, GET /jobs/{id}, or / for all others. The more specific pattern wins." required:"true"`
	Optional bool   `yaml:"optional" doc:"Requests without a token are allowed. A token must be valid and meet the rules."`
	Rules    `yaml:",inline"`
}

// Duration is a positive time.Duration, such as 30s or 15m.
type Duration time.Duration

// UnmarshalYAML reads the text form.
func (d *Duration) UnmarshalYAML(node *yaml.Node) error {
	parsed, err := time.ParseDuration(node.Value)
	if err != nil || parsed <= 0 {
		return fmt.Errorf("line %d: %q is not a positive duration such as 30s or 15m", node.Line, node.Value)
	}
	*d = Duration(parsed)
	return nil
}

// Read reads and checks a configuration file. An error names the line, or the field.
func Read(r io.Reader) (Config, error) {
	config, err := read(r)
	if err != nil {
		return Config{}, fmt.Errorf("guard: read the configuration: %w", err)
	}
	return config, nil
}

func read(r io.Reader) (Config, error) {
	config := Config{
		Listen: "127.0.0.1:4180", Admin: "127.0.0.1:4181", UpstreamTimeout: Duration(time.Minute),
	}
	text, err := io.ReadAll(io.LimitReader(r, maxConfig+1))
	switch {
	case err != nil:
		return config, err
	case len(text) > maxConfig:
		return config, fmt.Errorf("the file is larger than %d bytes", maxConfig)
	}
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return config, err
	}
	if err := refuseEmpty(&document); err != nil {
		return config, err
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&config); err != nil && !errors.Is(err, io.EOF) {
		return config, err
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return config, errors.New("the file has more than one document")
	}
	return config, config.check()
}

// refuseEmpty returns an error for a key without a value, such as one whose list is commented out: a
// rule must not disappear silently. Aliases are not supported.
func refuseEmpty(node *yaml.Node) error {
	switch {
	case node.Kind == yaml.AliasNode || node.Tag == "!!merge":
		return fmt.Errorf("line %d: aliases are not supported", node.Line)
	case node.Kind == yaml.ScalarNode && (node.Tag == "!!null" || strings.TrimSpace(node.Value) == ""):
		return fmt.Errorf("line %d: the value is empty; remove the key or give a value", node.Line)
	case node.Kind == yaml.SequenceNode && len(node.Content) == 0:
		return fmt.Errorf("line %d: the list is empty; remove the key or give a value", node.Line)
	}
	for _, child := range node.Content {
		if err := refuseEmpty(child); err != nil {
			return err
		}
	}
	return nil
}

func (c *Config) check() error {
	switch {
	case c.ClientID == "":
		return errors.New("client_id is missing")
	case (c.ForwardAuth == "") == (c.Upstream == ""):
		return errors.New("set either forward_auth or upstream")
	case c.ForwardAuth != "" && original[c.ForwardAuth] == [2]string{}:
		return fmt.Errorf("forward_auth: %q is invalid; use nginx, traefik or caddy", c.ForwardAuth)
	case c.MaxBodyBytes < 0:
		return errors.New("max_body_bytes is negative")
	case c.TLS != nil && (c.TLS.CertificateFile == "" || c.TLS.KeyFile == ""):
		return errors.New("tls: certificate_file and key_file are required")
	case c.ForwardAuth != "" && (c.PassAuthorization || c.MaxBodyBytes != 0):
		return errors.New("pass_authorization and max_body_bytes need upstream; set them in the proxy")
	}
	if c.Upstream != "" {
		if _, err := c.upstream(); err != nil {
			return err
		}
	}
	if a := c.Assertion; a != nil && (a.KeyFile == "" || a.Audience == "" || time.Duration(a.Lifetime) > time.Hour) {
		return errors.New("assertion: key_file and audience are required, and lifetime is at most 1h")
	}
	if _, err := c.Rules.compile(); err != nil {
		return fmt.Errorf("rules: %w", err)
	}
	_, err := newTable(c.Routes)
	return err
}

func (c *Config) upstream() (*url.URL, error) {
	target, err := url.Parse(c.Upstream)
	if err != nil || target.Scheme != "http" && target.Scheme != "https" || target.Host == "" || target.User != nil || target.RawQuery != "" || target.Fragment != "" {
		return nil, errors.New("upstream is not a URL such as http://127.0.0.1:8000")
	}
	return target, nil
}
