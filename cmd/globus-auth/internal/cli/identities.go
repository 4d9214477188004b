package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/globusauth/globusauth/apierror"
	"github.com/globusauth/globusauth/identitymap"
)

func (r *runner) identities() *cobra.Command {
	var format string
	var missingOK, provision bool
	command := &cobra.Command{
		Use:   "identities [KEY...]",
		Short: "Look up identities by username or ID",
		Long: `Look up identities by username or ID. Both may be mixed, as arguments or one per line on standard input.

The output is in the order of the keys. A table is printed at the end; json and jsonl are
written as responses arrive, up to 100 keys at a time. The field "key" of each object is the key
that found it.

A key that is not found is reported on standard error, and the exit code is 1 unless
--missing-ok is given. Interrupted with Ctrl-C, the command prints what it has, and the
exit code is 130.`,
		Example: `  globus-auth identities alice@example.edu go@globusid.org
  globus-auth identities --format jsonl < usernames.txt > people.jsonl`,
		RunE: func(cmd *cobra.Command, args []string) error {
			out := r.printer(format)
			if out == nil {
				return usagef("--format %q is invalid: use table, json or jsonl", format)
			}
			client, err := r.client(cmd.Context())
			if err != nil {
				return err
			}
			l := &lookup{runner: r, keys: &keys{args: args, in: r.In}, out: out, table: format == "table", missingOK: missingOK}
			people, err := identitymap.New(identitymap.Config{Client: client, Provision: provision, OnPause: l.pause})
			if err != nil {
				return err
			}
			return l.run(cmd.Context(), people)
		},
	}
	command.Flags().StringVar(&format, "format", "table", "table, json or jsonl")
	command.Flags().BoolVar(&missingOK, "missing-ok", false, "exit with 0 even if some keys are not found")
	command.Flags().BoolVar(&provision, "provision", false, "create an identity for each username that has none")
	return command
}

// lookup is one run of the verb.
type lookup struct {
	*runner
	keys      *keys
	out       printer
	table     bool
	missingOK bool

	found, missing int
	failed         failures
	inARow         int // failed requests
}

func (l *lookup) run(ctx context.Context, people *identitymap.Map) error {
	if len(l.keys.args) == 0 && isTerminal(l.In) {
		_, _ = fmt.Fprintln(l.Err, "globus-auth: reading keys from the terminal, one per line; Ctrl-D ends the input")
	}
	if isTerminal(l.Err) && (l.table || !isTerminal(l.Out)) {
		l.bar = newProgress(l.Err, len(l.keys.args))
	}
	gaveUp, err := l.ask(ctx, people)
	if err == nil {
		err = l.out.end() // what was found is printed also after an interruption
	}
	if err != nil {
		return err
	}
	return l.conclude(ctx, gaveUp)
}

// pause tells that the service wants fewer requests.
func (l *lookup) pause(pause time.Duration) {
	l.bar.clear()
	_, _ = fmt.Fprintf(l.Err, "globus-auth: too many requests: the service asks for a pause of %v\n", pause)
}

// ask looks up the keys and prints what is found. It gives up on an error that
// all other keys would meet too.
func (l *lookup) ask(ctx context.Context, people *identitymap.Map) (gaveUp bool, err error) {
	defer l.bar.end()
	for key, result := range people.All(ctx, l.keys.all(ctx)) {
		l.bar.step()
		gaveUp = l.count(ctx, key, result.Err)
		if err := l.print(key, result); err != nil || gaveUp {
			return gaveUp, err
		}
	}
	return false, nil
}

// count counts a result, and reports whether it is of no use to go on: the
// service refuses the token, cannot be reached from the beginning, or fails again
// and again.
func (l *lookup) count(ctx context.Context, key string, err error) (hopeless bool) {
	const most = 5 // failed requests in a row
	switch {
	case err == nil:
		l.found++
		l.inARow = 0
		return false
	case errors.Is(err, identitymap.ErrNotFound):
		l.missing++
		return false
	case ctx.Err() != nil:
		l.failed.keys++ // for no other reason
		return false
	}
	if l.failed.add(key, err) {
		l.inARow++
	}
	if _, refused := errors.AsType[*apierror.Error](err); refused && (errors.Is(err, apierror.ErrUnauthorized) || errors.Is(err, apierror.ErrForbidden)) {
		return true
	} else if !refused && l.found+l.missing == 0 {
		return true
	}
	return l.inARow == most
}

// print writes an identity, or that there is none.
func (l *lookup) print(key string, result identitymap.Result) error {
	switch {
	case result.Err == nil:
		return l.out.print(key, result.Identity)
	case errors.Is(result.Err, identitymap.ErrNotFound):
		l.bar.clear()
		_, _ = fmt.Fprintf(l.Err, "globus-auth: %s: %v\n", shown(key), causeOf(result.Err))
	}
	return nil
}

// conclude says how it ended.
func (l *lookup) conclude(ctx context.Context, gaveUp bool) error {
	counts := fmt.Sprintf("%d found, %d not found", l.found, l.missing)
	l.failed.print(l.runner)
	if ctx.Err() != nil && (l.failed.keys > 0 || !l.keys.ended) {
		return fmt.Errorf("interrupted: %s, the other keys have no response", counts)
	}
	switch {
	case gaveUp:
		return fmt.Errorf("gave up, since every other key would fail in the same way: %s", counts)
	case l.keys.err != nil:
		return fmt.Errorf("read keys: %w; until then %s", l.keys.err, counts)
	case l.failed.keys > 0:
		return fmt.Errorf("%s, %d without a response", counts, l.failed.keys)
	case l.missing > 0 && !l.missingOK:
		return errReported
	}
	return nil
}

// causeOf is the reason without the key.
func causeOf(err error) error {
	if failed, ok := errors.AsType[*identitymap.KeyError](err); ok {
		return failed.Err
	}
	return err
}

// failures are keys without a response, together with those that failed for the
// same reason.
type failures struct {
	keys   int
	causes []failure // the first of them
	more   int       // how many others
	last   error
}

type failure struct {
	err   error // of the request, without the key
	first string
	keys  int
}

// add reports whether the request that failed is another than that of the key before.
func (f *failures) add(key string, err error) (another bool) {
	const most = 10
	f.keys++
	cause := causeOf(err)
	// The keys of a request have one error value.
	another = f.last != cause //nolint:errorlint // the same value, not the same class
	f.last = cause
	switch {
	case another && len(f.causes) < most:
		f.causes = append(f.causes, failure{cause, key, 1})
	case another:
		f.more++
	case f.more == 0:
		f.causes[len(f.causes)-1].keys++
	}
	return another
}

func (f *failures) print(r *runner) {
	for _, cause := range f.causes {
		keys := shown(cause.first)
		if cause.keys > 1 {
			keys += fmt.Sprintf(" and %d more", cause.keys-1)
		}
		_, _ = fmt.Fprintf(r.Err, "globus-auth: no response for %s: %s\n", keys, r.text(cause.err))
	}
	if f.more > 0 {
		_, _ = fmt.Fprintf(r.Err, "globus-auth: and %d more failed requests\n", f.more)
	}
}

// shown quotes a key, cut to what a person can read.
func shown(key string) string {
	const most = 80
	if len(key) > most {
		key = key[:most] + "..."
	}
	return strconv.QuoteToGraphic(key)
}
