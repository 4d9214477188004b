package cli

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"github.com/globusauth/globusauth/identitymap"
)

func (r *runner) identities() *cobra.Command {
	var format string
	var missingOK, provision bool
	command := &cobra.Command{
		Use:   "identities [KEY...]",
		Short: "Look up identities by username or ID",
		Long: `Look up identities by username or ID, mixed as you like: as arguments, or one a line
on standard input. Answers come in the order in which the service gives them.

A key that names nobody is reported on standard error, and the exit code is 1
unless --missing-ok is given.`,
		Example: `  globus-auth identities alice@example.edu go@globusid.org
  globus-auth identities --format jsonl < usernames.txt > people.jsonl`,
		RunE: func(cmd *cobra.Command, args []string) error {
			print, ok := map[string]func(io.Writer) printer{"table": newTable, "json": newJSONArray, "jsonl": newJSONLines}[format]
			if !ok {
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
			input := &keys{args: args, in: r.In}
			return r.lookUp(cmd, people, input, print(r.Out), missingOK)
		},
	}
	command.Flags().StringVar(&format, "format", "table", "table, json or jsonl")
	command.Flags().BoolVar(&missingOK, "missing-ok", false, "exit with 0 although some keys name nobody")
	command.Flags().BoolVar(&provision, "provision", false, "create an identity for a username that has none")
	return command
}

func (r *runner) lookUp(cmd *cobra.Command, people *identitymap.Map, input *keys, out printer, missingOK bool) error {
	bar := r.progress(len(input.args))
	var failed, missing int
	for key, result := range people.All(cmd.Context(), input.all()) {
		_ = bar.Add(1)
		switch {
		case result.Err == nil:
			if err := out.print(result.Identity); err != nil {
				return err
			}
		case errors.Is(result.Err, identitymap.ErrNotFound):
			missing++
			_, _ = fmt.Fprintf(r.Err, "globus-auth: %s: not found\n", key)
		case cmd.Context().Err() != nil:
			failed++
		default:
			failed++
			_, _ = fmt.Fprintf(r.Err, "globus-auth: %s: %v\n", key, result.Err)
		}
	}
	_ = bar.Finish()
	// What was found is printed also after an interruption.
	if err := out.end(); err != nil {
		return err
	}
	switch {
	case cmd.Context().Err() != nil:
		return errors.New("interrupted; the answers above are not all")
	case input.err != nil:
		return fmt.Errorf("read keys: %w", input.err)
	case failed > 0 || (missing > 0 && !missingOK):
		return errReported
	}
	return nil
}

// progress is a bar on a terminal, and nothing where none is or the work is
// short.
func (r *runner) progress(known int) *progressbar.ProgressBar {
	total := -1
	if known > 0 {
		total = known
	}
	if !isTerminal(r.Err) || isTerminal(r.Out) || (known > 0 && known < 1000) {
		return progressbar.DefaultSilent(int64(total))
	}
	return progressbar.NewOptions(total, progressbar.OptionSetWriter(r.Err), progressbar.OptionShowCount(),
		progressbar.OptionShowIts(), progressbar.OptionSetItsString("identities"), progressbar.OptionClearOnFinish())
}

// keys are the arguments, or else the lines of standard input.
type keys struct {
	args []string
	in   io.Reader
	err  error
}

func (k *keys) all() iter.Seq[string] {
	if len(k.args) > 0 {
		return slices.Values(k.args)
	}
	return func(yield func(string) bool) {
		lines := bufio.NewScanner(k.in)
		for lines.Scan() {
			if key := strings.TrimSpace(lines.Text()); key != "" && !yield(key) {
				return
			}
		}
		k.err = lines.Err()
	}
}

// printer writes identities in one format.
type printer interface {
	print(identity identitymap.Identity) error
	end() error
}

type table struct {
	w    *tabwriter.Writer
	rows int
}

func newTable(out io.Writer) printer { return &table{w: tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)} }

func (t *table) print(i identitymap.Identity) error {
	if t.rows++; t.rows == 1 {
		_, _ = fmt.Fprintln(t.w, "USERNAME\tID\tNAME\tORGANIZATION\tSTATUS")
	}
	_, err := fmt.Fprintf(t.w, "%s\t%s\t%s\t%s\t%s\n", cell(i.Username), cell(i.ID), cell(i.Name), cell(i.Organization), cell(string(i.Status)))
	return err
}

func (t *table) end() error { return t.w.Flush() }

// cell keeps a name that somebody chose from moving the cursor.
func cell(text string) string {
	if text == "" {
		return "-"
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || (r >= 0x7f && r < 0xa0) {
			return '?'
		}
		return r
	}, text)
}

type jsonLines struct{ encoder *json.Encoder }

func newJSONLines(out io.Writer) printer { return jsonLines{json.NewEncoder(out)} }

func (j jsonLines) print(i identitymap.Identity) error { return j.encoder.Encode(i) }
func (jsonLines) end() error                           { return nil }

type jsonArray struct {
	out  io.Writer
	rows int
}

func newJSONArray(out io.Writer) printer { return &jsonArray{out: out} }

func (j *jsonArray) print(i identitymap.Identity) error {
	separator := ",\n  "
	if j.rows++; j.rows == 1 {
		separator = "[\n  "
	}
	text, err := json.Marshal(i)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(j.out, "%s%s", separator, text)
	return err
}

func (j *jsonArray) end() error {
	text := "\n]\n"
	if j.rows == 0 {
		text = "[]\n"
	}
	_, err := io.WriteString(j.out, text)
	return err
}
