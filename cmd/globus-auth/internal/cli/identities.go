package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/globusauth/globusauth/apierror"
	"github.com/globusauth/globusauth/gen"
	"github.com/globusauth/globusauth/identitymap"
)

func (r *runner) identities() *cobra.Command {
	l := &lookup{runner: r, people: []person{}}
	provision := false
	command := &cobra.Command{
		Use:   "identities [KEY...]",
		Short: "Look up identities by username or ID",
		Long: `Look up identities by username or ID. Both may be mixed, as arguments or one per
line on standard input.

The output has the order of the keys. The format jsonl prints each object as
soon as it is known; the others print at the end. The field "key" of an
object is the key that found it.

A key that is not found is reported on standard error, and the exit code is 3
unless --missing-ok is given. Interrupted with Ctrl-C, the command prints what
it has, and the exit code is 130.`,
		Example: `  globus-auth identities alice@example.edu go@globusid.org
  globus-auth identities --format jsonl \
    < usernames.txt > people.jsonl`,
	}
	r.usesLogin(command)
	l.output = r.outputFlags(command, "table")
	command.Flags().BoolVar(&l.missingOK, "missing-ok", false, "exit with 0 even if some keys are not found")
	command.Flags().BoolVar(&provision, "provision", false, "create an identity for each username that has none")
	command.RunE = func(cmd *cobra.Command, args []string) error {
		client, err := r.client(cmd.Context())
		if err != nil {
			return err
		}
		people, err := identitymap.New(identitymap.Config{Client: client, Provision: provision, OnPause: func(pause time.Duration) {
			r.tell("too many requests: the service asks for a pause of %v", pause)
		}})
		if err != nil {
			return err
		}
		keys := slices.Values(args)
		if len(args) == 0 {
			keys = l.readKeys(cmd.Context())
		}
		return l.run(cmd.Context(), people.All(cmd.Context(), keys))
	}
	return command
}

// lookup is one run of the verb.
type lookup struct {
	*runner
	output    *output
	missingOK bool

	readErr                error // of standard input
	people                 []person
	found, missing, failed int   // keys
	cause                  error // of the last request that failed
	inARow                 int   // requests that failed
}

// person is an identity and the key that found it.
type person struct {
	Key string `json:"key"`
	gen.Identity
}

// maxLine is more than any key has, in bytes.
const maxLine = 1 << 20

// readKeys yields the lines of standard input, until ctx ends.
func (l *lookup) readKeys(ctx context.Context) iter.Seq[string] {
	if isTerminal(l.In) {
		l.tell("reading keys from the terminal, one per line; Ctrl-D ends the input")
	}
	return func(yield func(string) bool) {
		lines := bufio.NewScanner(l.stdin(ctx))
		lines.Buffer(nil, maxLine)
		for lines.Scan() {
			key := strings.TrimFunc(lines.Text(), func(r rune) bool { return unicode.IsSpace(r) || r == '\ufeff' }) // a byte order mark
			if key != "" && !yield(key) {
				return
			}
		}
		l.readErr = lines.Err()
	}
}

func (l *lookup) run(ctx context.Context, results iter.Seq2[string, identitymap.Result]) error {
	gaveUp := false
	for key, result := range results {
		if result.Err == nil {
			if err := l.take(person{key, result.Identity}); err != nil {
				return err
			}
		} else if gaveUp = l.fail(ctx, key, result.Err); gaveUp {
			break
		}
	}
	if err := l.end(ctx); err != nil {
		return err
	}
	counts := fmt.Sprintf("%d found, %d not found", l.found, l.missing)
	switch {
	case ctx.Err() != nil:
		return failf("interrupted: %s; the other keys have no response", counts)
	case gaveUp:
		return &problem{words: "gave up, because every other key would fail in the same way: " + counts, code: exitCode(ctx, l.cause)}
	case l.readErr != nil:
		return &problem{words: "keys cannot be read after " + counts, err: l.readErr}
	case l.failed > 0:
		return &problem{words: fmt.Sprintf("%s, %d without a response", counts, l.failed), code: exitCode(ctx, l.cause)}
	case l.missing > 0 && !l.missingOK:
		return &problem{code: ExitNotFound}
	}
	return nil
}

// take prints an identity, or keeps it for the end.
func (l *lookup) take(p person) error {
	l.found++
	l.inARow = 0
	if l.output.streams() {
		return printJSON(l.Out, p, "")
	}
	l.people = append(l.people, p)
	return nil
}

// end prints what was kept.
func (l *lookup) end(ctx context.Context) error {
	if l.output.streams() || l.output.format.value == "table" && l.output.filter == nil && l.found == 0 {
		return nil
	}
	rows := table{{"USERNAME", "ID", "NAME", "ORGANIZATION", "STATUS"}}
	for _, p := range l.people {
		rows.row(p.Username, p.ID, p.Name, p.Organization, string(p.Status))
	}
	return l.print(ctx, l.output, l.people, rows)
}

// fail reports an error, once for all keys of one request, and whether to give up: the service
// refuses the token, cannot be reached from the beginning, or fails several times in a row.
func (l *lookup) fail(ctx context.Context, key string, err error) (giveUp bool) {
	const most = 5 // failed requests in a row
	cause := errors.Unwrap(err)
	switch {
	case errors.Is(err, identitymap.ErrNoIdentity):
		l.missing++
		l.tell("%s", l.text(err))
		return false
	case ctx.Err() != nil:
		return false
	case cause == l.cause: //nolint:errorlint // the same value, not the same class
		l.failed++
		return false
	}
	l.failed++
	l.cause = cause
	l.inARow++
	l.tell("no response for the request with %.80q: %s", key, l.text(cause))
	_, responded := errors.AsType[*apierror.Error](err)
	return !responded && l.found+l.missing == 0 || l.inARow == most || errors.Is(err, apierror.ErrUnauthorized) || errors.Is(err, apierror.ErrForbidden)
}
