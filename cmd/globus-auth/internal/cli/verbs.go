package cli

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/globusauth/globusauth"
)

// verb is an operation of the spec as a command. verbs.gen.go has them all.
type verb struct {
	use, method, short, long string
	columns                  []string // of the table of a list
	oneOf                    []string // parameters of the query, of which exactly one is given
	security                 []alternative
	args, query, body        []field
	envelope                 string // the one field of the request that holds those of body
	secretWith               string // the response has a secret if this field is given
	basicWithout, noneWith   string // a client authenticates itself if the first is not given, and not at all with the second
	call                     func(ctx context.Context, c *globusauth.Client, args []string, opts ...globusauth.CallOption) error
}

// alternative is one way to authenticate: one of several scopes of a token, or a client's secret.
type alternative struct {
	scheme string
	scopes []string
}

const bearer, basicClient = "bearer", "basicClient"

// index is that of the first alternative of a scheme, or -1.
func (v verb) index(scheme string) int {
	return slices.IndexFunc(v.security, func(a alternative) bool { return a.scheme == scheme })
}

func (v verb) accepts(scheme string) bool { return v.index(scheme) >= 0 }

// addVerbs adds the verbs of the spec, such as "project list", below commands for their nouns.
func (r *runner) addVerbs(root *cobra.Command) {
	for _, v := range verbs() {
		noun, name, nested := strings.Cut(v.use, " ")
		if !nested {
			command := r.verb(v, noun)
			command.GroupID = service
			root.AddCommand(command)
			continue
		}
		parent := find(root, noun)
		if parent == nil {
			parent = group(noun, "")
			parent.GroupID = administration
			root.AddCommand(parent)
		}
		parent.AddCommand(r.verb(v, name))
	}
	for _, noun := range root.Commands() {
		if noun.Short == "" {
			noun.Short = summary(noun)
		}
	}
}

// summary is such as "List, show, delete projects".
func summary(noun *cobra.Command) string {
	var names []string
	for _, name := range []string{"list", "show", "create", "update", "delete"} {
		if find(noun, name) != nil {
			names = append(names, name)
		}
	}
	plural := noun.Name() + "s"
	if stem, found := strings.CutSuffix(noun.Name(), "y"); found {
		plural = stem + "ies"
	}
	return sentence(strings.Join(names, ", ")) + " " + plural
}

func find(parent *cobra.Command, name string) *cobra.Command {
	for _, command := range parent.Commands() {
		if command.Name() == name {
			return command
		}
	}
	return nil
}

// verb makes the command of an operation.
func (r *runner) verb(v verb, name string) *cobra.Command {
	run := &verbRun{runner: r, verb: v}
	names := []string{name}
	for _, arg := range v.args {
		names = append(names, strings.ToUpper(strings.TrimSuffix(arg.name, "_id")))
	}
	command := &cobra.Command{
		Use: strings.Join(names, " "), Short: v.short, Long: forUsers(v.long), ValidArgsFunction: cobra.NoFileCompletions,
		Args: func(cmd *cobra.Command, args []string) error {
			if err := exactArgs(cmd, args); err != nil {
				return err
			}
			for i, arg := range v.args {
				if err := arg.check(args[i]); err != nil {
					return usagef("%s: %v", names[i+1], err)
				}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return run.run(cmd.Context(), args) },
	}
	run.query = newInput(command, v.query)
	run.body = newInput(command, v.body)
	if len(v.body) > 0 {
		run.body.fileFlags(command)
	}
	if v.method == "DELETE" {
		command.Flags().BoolVar(&run.yes, "yes", false, "delete without confirmation")
	}
	if v.secretWith != "" {
		command.Flags().StringVar(&run.secretFile, "secret-file", "", "new `file` for the secret, which is otherwise shown once on the terminal")
	}
	run.output = r.outputFlags(command, "table")
	switch {
	case v.accepts(bearer):
		r.usesLogin(command)
	case v.accepts(basicClient):
		r.uses(command, "base-url", "client-id", "client-secret-file")
	default:
		r.uses(command, "base-url")
	}
	return command
}

// verbRun is one run of a verb.
type verbRun struct {
	*runner
	verb
	query, body *input
	yes         bool
	secretFile  string
	output      *output
}

func (v *verbRun) run(ctx context.Context, args []string) error {
	query, err := v.query.values(ctx, v.runner, "")
	if err != nil {
		return err
	}
	given := slices.DeleteFunc(slices.Clone(v.oneOf), func(name string) bool { return query[name] == nil })
	if len(v.oneOf) > 0 && len(given) != 1 {
		return usagef("use one of --%s", strings.Join(v.oneOf, " and --"))
	}
	body, err := v.body.values(ctx, v.runner, v.envelope)
	if err != nil {
		return err
	}
	if v.method == "PUT" && len(body) == 0 {
		return usagef("nothing to change: use a flag, --clear or --from")
	}
	if err := v.confirm(ctx, args); err != nil {
		return err
	}
	client, err := v.client(ctx, args, body)
	if err != nil {
		return err
	}
	var document json.RawMessage
	options := []globusauth.CallOption{keepBody(&document)}
	for name, value := range query {
		options = append(options, globusauth.WithQuery(name, plain(value)))
	}
	for name, value := range body {
		options = append(options, globusauth.WithBodyField(name, value))
	}
	var secret *secretSink
	if body[v.secretWith] != nil {
		if secret, err = newSecretSink(v.secretFile); err != nil {
			return err
		}
		defer secret.close()
	}
	if err := v.call(ctx, client, args, options...); err != nil || len(document) == 0 {
		return err
	}
	if secret != nil {
		document, err = secret.take(document)
	}
	if err := v.print(ctx, v.output, document, resourceRows(document, v.verb.columns)); err != nil {
		return err
	}
	return err
}

// keepBody keeps the body of the response as it was sent.
func keepBody(document *json.RawMessage) globusauth.CallOption {
	return globusauth.WithResponse(func(_ int, _ http.Header, body []byte) { *document = body })
}

// client returns a client with the credentials that the operation takes.
func (v *verbRun) client(ctx context.Context, args []string, body map[string]any) (*globusauth.Client, error) {
	_, anonymous := body[v.noneWith]
	switch {
	case anonymous || len(v.security) == 0:
		return v.newClient(nil)
	case v.accepts(basicClient) && (v.getenv(tokenVariable) == "" || !v.accepts(bearer)):
		config, err := v.appConfig()
		if err != nil {
			return nil, err
		}
		itself := len(args) > 0 && strings.EqualFold(args[0], config.ClientID)
		if _, given := body[v.basicWithout]; v.basicWithout != "" && !given {
			itself = true
		}
		switch {
		case config.ClientSecret != "" && (itself || !v.accepts(bearer)):
			return v.newClient(globusauth.Basic(config.ClientID, config.ClientSecret))
		case !v.accepts(bearer):
			return nil, usagef("%s requires a client and its secret: use --client-id and --client-secret-file", v.use)
		}
	}
	return v.runner.client(ctx, v.security[v.index(bearer)].scopes...)
}

// confirm asks before a deletion.
func (v *verbRun) confirm(ctx context.Context, args []string) error {
	if v.method != "DELETE" || v.yes {
		return nil
	}
	if !isTerminal(v.In) {
		return usagef("standard input is not a terminal: use --yes to delete without confirmation")
	}
	noun, _, _ := strings.Cut(v.use, " ")
	_, _ = fmt.Fprintf(v.Err, "Delete %s %s? [y/N] ", noun, args[len(args)-1])
	line, _ := bufio.NewReader(v.stdin(ctx)).ReadString('\n')
	switch strings.ToLower(strings.TrimSpace(line)) {
	case "y", "yes":
		return nil
	}
	return cmp.Or(ctx.Err(), failf("not deleted"))
}

// sentence writes the first letter as a capital.
func sentence(text string) string {
	first := []rune(text)
	first[0] = unicode.ToUpper(first[0])
	return string(first)
}
