package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/apierror"
	"github.com/globusauth/globusauth/flows"
	"github.com/globusauth/globusauth/internal/environment"
	"github.com/globusauth/globusauth/internal/origin"
	"github.com/globusauth/globusauth/scopes"
	"github.com/globusauth/globusauth/tokens"
)

// request is one run of the verb api.
type request struct {
	*runner
	output            *output
	fields            []string
	input, server     string
	include, paginate bool
}

func (r *runner) api() *cobra.Command {
	run := &request{runner: r}
	command := &cobra.Command{
		Use:   "api METHOD PATH",
		Short: "Send a request to Globus Auth or another Globus service",
		Long: `Send a request with a token of the stored login and print the response.

PATH is a path of Globus Auth, such as /v2/api/projects, or the URL of another
Globus service, such as https://transfer.api.globus.org/v0.10/task_list. The
token is that of the service, and goes to no other host.

Each page of a list is printed by itself.`,
		Example: `  globus-auth api GET /v2/api/projects --jq '.projects[].id'
  globus-auth api GET /v2/api/identities \
    -f usernames=alice@example.edu
  globus-auth api POST /v2/api/projects --input project.json
  globus-auth api GET --paginate --jq '.DATA[].task_id' \
    https://transfer.api.globus.org/v0.10/task_list`,
		Args:              exactArgs,
		ValidArgsFunction: cobra.FixedCompletions([]string{"GET", "POST", "PUT", "PATCH", "DELETE"}, cobra.ShellCompDirectiveNoFileComp),
		RunE: func(cmd *cobra.Command, args []string) error {
			return run.run(cmd.Context(), strings.ToUpper(args[0]), args[1])
		},
	}
	r.usesLogin(command)
	flags := command.Flags()
	flags.StringArrayVarP(&run.fields, "field", "f", nil, "`key=value` of the query of a GET, or of the JSON object of another method")
	flags.StringVar(&run.input, "input", "", "`file` with the body, or \"-\" for standard input; fields then become parameters of the address")
	flags.StringVar(&run.server, "resource-server", "", "`name` of the resource server whose token is sent (default that of the host)")
	_ = command.RegisterFlagCompletionFunc("resource-server", r.storedServers())
	flags.BoolVarP(&run.include, "include", "i", false, "print the status and headers too")
	flags.BoolVar(&run.paginate, "paginate", false, "send the GET again as long as the response has a marker of the next page")
	run.output = r.outputFlags(command, "json")
	return command
}

func (q *request) run(ctx context.Context, method, path string) error {
	if q.paginate && method != http.MethodGet {
		return usagef("--paginate is only for GET")
	}
	auth, err := q.newClient(nil)
	if err != nil {
		return err
	}
	target, body, err := q.build(ctx, auth, method, path)
	if err != nil {
		return err
	}
	client, err := q.httpClient(ctx, auth, target)
	if err != nil {
		return err
	}
	for {
		page, err := q.send(ctx, client, method, target, body)
		if err != nil {
			return err
		}
		parameter, marker := nextPage(page)
		query := target.Query()
		switch {
		case !q.paginate || marker == "":
			return nil
		case query.Get(parameter) == marker:
			return failf("the service returned the same marker twice")
		}
		query.Set(parameter, marker)
		target.RawQuery = query.Encode()
	}
}

// build makes the address and the body of the request.
func (q *request) build(ctx context.Context, auth *globusauth.Client, method, path string) (target *url.URL, body []byte, err error) {
	base, err := url.Parse(auth.BaseURL())
	if err == nil {
		target, err = base.Parse(path)
	}
	if err != nil || target.User != nil || target.Fragment != "" {
		return nil, nil, usagef("PATH is invalid: use a path such as /v2/api/projects, or a URL")
	}
	if q.input != "" {
		if body, err = q.readInput(ctx, "--input", q.input, maxInput); err != nil {
			return nil, nil, err
		}
	}
	query, object := target.Query(), map[string]string{}
	for _, field := range q.fields {
		key, value, found := strings.Cut(field, "=")
		if !found || key == "" {
			return nil, nil, usagef("--field %q is invalid: use key=value", field)
		}
		if method == http.MethodGet || q.input != "" {
			query.Add(key, value)
		} else {
			object[key] = value
		}
	}
	if target.RawQuery = query.Encode(); len(object) > 0 {
		body, err = json.Marshal(object)
	}
	return target, body, err
}

// httpClient returns a client with the token for the host of an address.
func (q *request) httpClient(ctx context.Context, auth *globusauth.Client, target *url.URL) (client *http.Client, err error) {
	server, hosts := q.server, []string{}
	base, err := url.Parse(auth.BaseURL())
	if err != nil {
		return nil, err
	}
	switch {
	case server != "":
		hosts = append(hosts, origin.HostPort(target))
	case origin.HostPort(target) == origin.HostPort(base):
		server = scopes.AuthResourceServer
	default:
		if server, err = serverOf(auth.Environment(), target.Hostname()); err != nil {
			return nil, err
		}
	}
	if token := q.getenv(tokenVariable); token != "" && server == scopes.AuthResourceServer && q.server == "" {
		client, err = flows.HTTPClient(auth, tokens.TransportConfig{
			Source: tokens.Static(tokens.Token{AccessToken: token}), ResourceServer: server,
		})
	} else {
		var a *account
		if a, err = q.stored(ctx); err == nil {
			client, err = a.HTTPClient(ctx, server, hosts...)
		}
	}
	if err != nil {
		return nil, err
	}
	client.Timeout = auth.HTTPClient().Timeout
	return client, nil
}

// serverOf returns the resource server of a known service.
func serverOf(name, host string) (string, error) {
	for _, server := range []string{
		scopes.TransferResourceServer, scopes.GroupsResourceServer, scopes.SearchResourceServer, scopes.FlowsResourceServer,
		scopes.TimersResourceServer, scopes.ComputeResourceServer, scopes.NexusResourceServer,
	} {
		hosts, err := environment.Hosts(name, server)
		if err != nil {
			return "", err
		}
		if slices.Contains(hosts, host) {
			return server, nil
		}
	}
	return "", usagef("the host %q is not that of a known service: name the resource server of its token with --resource-server", host)
}

// maxPage is the length of a response, in bytes.
const maxPage = 64 << 20

// send sends one request and prints the response, which it returns.
func (q *request) send(ctx context.Context, client *http.Client, method string, target *url.URL, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, target.String(), bytes.NewReader(body))
	if err != nil {
		return nil, usagef("METHOD or PATH is invalid")
	}
	req.Header.Set("Accept", "application/json")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	response, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := readLimited(response.Body, maxPage)
	if err != nil {
		return nil, &problem{words: "the response", err: err}
	}
	if q.include {
		var head bytes.Buffer
		fmt.Fprintf(&head, "%s %s\n", response.Proto, response.Status)
		_ = response.Header.Write(&head)
		_, _ = fmt.Fprintln(q.Out, printable(strings.ReplaceAll(head.String(), "\r", ""), "\n"))
	}
	if err := q.show(ctx, text); err != nil {
		return nil, err
	}
	if response.StatusCode >= http.StatusBadRequest {
		return nil, apierror.FromResponse("", response.StatusCode, response.Header, text)
	}
	return text, nil
}

// show prints a response. Only to a file or pipe, what is not JSON is written as it is.
func (q *request) show(ctx context.Context, text []byte) error {
	var err error
	switch {
	case json.Valid(text):
		return q.print(ctx, q.output, json.RawMessage(text), resourceRows(text, nil))
	case isTerminal(q.Out):
		_, err = io.WriteString(q.Out, printable(string(text), "\n\t"))
	default:
		_, err = q.Out.Write(text)
	}
	return err
}

// nextPage returns the parameter that gets the next page, and its value.
func nextPage(page []byte) (parameter, marker string) {
	var document map[string]any
	if json.Unmarshal(page, &document) != nil || document["has_next_page"] == false {
		return "", ""
	}
	for _, name := range [][2]string{{"next_marker", "marker"}, {"marker", "marker"}, {"next_token", "next_token"}, {"last_key", "last_key"}} {
		switch marker := document[name[0]].(type) {
		case string:
			return name[1], marker
		case float64: // consecutive numbers
			return name[1], fmt.Sprintf("%.0f", marker)
		}
	}
	return "", ""
}
