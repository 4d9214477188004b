package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"

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
		Long: `Look up identities by username or ID, mixed as you like: as arguments, or one a line
on standard input.

A table has the order of the keys. So have json and jsonl when the keys are arguments;
otherwise they are written as answers come, a hundred keys at a time, and hold nothing
back. Each object has the key it answers in "key".

A key that names nobody is reported on standard error, and the exit code is 1 unless
--missing-ok is given. Interrupted with Ctrl-C, the command prints what it has, and the
exit code is 130.`,
		Example: `  globus-auth identities alice@example.edu go@globusid.org
  globus-auth identities --format jsonl < usernames.txt > people.jsonl`,
		RunE: func(cmd *cobra.Command, args []string) error {
			out := r.printer(format)
			if out == nil {
				return usagef("--format %q: it is table, json or jsonl", format)
			}
			client, err := r.client(cmd.Context())
			if err != nil {
				return err
			}
			people, err := identitymap.New(identitymap.Config{Client: client, Provision: provision})
			if err != nil {
				return err
			}
			l := &lookup{
				runner: r, keys: &keys{args: args, in: r.In}, out: out,
				ordered: len(args) > 0 || format == "table", missingOK: missingOK,
			}
			return l.run(cmd.Context(), people)
		},
	}
	command.Flags().StringVar(&format, "format", "table", "table, json or jsonl")
	command.Flags().BoolVar(&missingOK, "missing-ok", false, "exit with 0 although some keys name nobody")
	command.Flags().BoolVar(&provision, "provision", false, "create an identity for a username that has none")
	return command
}

// lookup is one run of the verb.
type lookup struct {
	*runner
	keys      *keys
	out       printer
	ordered   bool // answers are held back and printed in the order of the keys
	missingOK bool

	bar            *progress
	found, missing int
	failed         failures
}

func (l *lookup) run(ctx context.Context, people *identitymap.Map) error {
	if len(l.keys.args) == 0 && isTerminal(l.In) {
		_, _ = fmt.Fprintln(l.Err, "globus-auth: reading keys, one a line; Ctrl-D ends them")
	}
	if isTerminal(l.Err) && (l.ordered || !isTerminal(l.Out)) {
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

// ask looks up the keys and prints what is found. It gives up when an error is
// what all other keys would meet too.
func (l *lookup) ask(ctx context.Context, people *identitymap.Map) (gaveUp bool, err error) {
	var order []string
	results := map[string]identitymap.Result{}
	keys := func(yield func(string) bool) {
		for key := range l.keys.all(ctx) {
			if l.ordered {
				order = append(order, key)
			}
			if !yield(key) {
				return
			}
		}
	}
	for key, result := range people.All(ctx, keys) {
		l.bar.step()
		gaveUp = l.count(ctx, key, result.Err)
		if l.ordered {
			results[key] = result
		} else if err := l.print(key, result); err != nil {
			return false, err
		}
		if gaveUp {
			break
		}
	}
	l.bar.end()
	for _, key := range order {
		if result, ok := results[key]; ok {
			if err := l.print(key, result); err != nil {
				return false, err
			}
		}
	}
	return gaveUp, nil
}

// count keeps the books, and reports whether there is no use in going on: the
// service refuses the token, or cannot be reached from the beginning.
func (l *lookup) count(ctx context.Context, key string, err error) (hopeless bool) {
	switch {
	case err == nil:
		l.found++
		return false
	case errors.Is(err, identitymap.ErrNotFound):
		l.missing++
		return false
	}
	if ctx.Err() != nil {
		l.failed.keys++ // for no other reason
		return false
	}
	l.failed.add(key, err)
	if _, refused := errors.AsType[*apierror.Error](err); refused {
		return errors.Is(err, apierror.ErrUnauthorized) || errors.Is(err, apierror.ErrForbidden)
	}
	return l.found+l.missing == 0
}

// print writes an identity, or that there is none.
func (l *lookup) print(key string, result identitymap.Result) error {
	switch {
	case result.Err == nil:
		return l.out.print(key, result.Identity)
	case errors.Is(result.Err, identitymap.ErrNotFound):
		l.bar.clear()
		// The error in it has the reason without the key.
		_, _ = fmt.Fprintf(l.Err, "globus-auth: %s: %v\n", shown(key), errors.Unwrap(result.Err))
	}
	return nil
}

// conclude says how it ended.
func (l *lookup) conclude(ctx context.Context, gaveUp bool) error {
	counts := fmt.Sprintf("%d found, %d not found", l.found, l.missing)
	l.failed.print(l.Err)
	if ctx.Err() != nil && (l.failed.keys > 0 || !l.keys.ended) {
		return fmt.Errorf("interrupted: %s, the other keys have no answer", counts)
	}
	switch {
	case gaveUp:
		return fmt.Errorf("gave up, since every other key would fail in the same way: %s", counts)
	case l.keys.err != nil:
		return fmt.Errorf("read keys: %w; until then %s", l.keys.err, counts)
	case l.failed.keys > 0:
		return fmt.Errorf("%s, %d without an answer", counts, l.failed.keys)
	case l.missing > 0 && !l.missingOK:
		return errReported
	}
	return nil
}

// failures are keys without an answer, together with those that failed for the
// same reason.
type failures struct {
	keys   int
	causes []failure
}

type failure struct {
	err   error // of the request, without the key
	first string
	keys  int
}

func (f *failures) add(key string, err error) {
	f.keys++
	cause := errors.Unwrap(err)
	// The keys of a request carry one error. Several are on their way at once.
	for i := len(f.causes) - 1; i >= max(0, len(f.causes)-64); i-- {
		if f.causes[i].err == cause { //nolint:errorlint // the same value, not the same class
			f.causes[i].keys++
			return
		}
	}
	f.causes = append(f.causes, failure{cause, key, 1})
}

func (f *failures) print(out io.Writer) {
	const most = 10
	for i, cause := range f.causes {
		if i == most {
			_, _ = fmt.Fprintf(out, "globus-auth: and %d more failed requests\n", len(f.causes)-most)
			return
		}
		keys := shown(cause.first)
		if cause.keys > 1 {
			keys += fmt.Sprintf(" and %d more", cause.keys-1)
		}
		_, _ = fmt.Fprintf(out, "globus-auth: no answer for %s: %v\n", keys, cause.err)
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
