package cli

import (
	"fmt"
	"io"

	"github.com/globusauth/globusauth/identitymap"
)

// printer writes identities in one format.
type printer interface {
	print(key string, identity identitymap.Identity) error
	end() error
}

// printer returns that of a format, or nil.
func (r *runner) printer(format string) printer {
	switch format {
	case "table":
		return &peopleTable{out: r.Out, cut: isTerminal(r.Out)}
	case "json":
		return &jsonArray{out: r.Out}
	case "jsonl":
		return &jsonLines{out: r.Out}
	}
	return nil
}

type peopleTable struct {
	table
	out io.Writer
	cut bool // to what a terminal can hold
}

func (t *peopleTable) print(_ string, i identitymap.Identity) error {
	if len(t.rows) == 0 {
		t.row("USERNAME", "ID", "NAME", "ORGANIZATION", "STATUS")
	}
	if t.cut {
		const most = 40
		i.Name, i.Organization = cut(i.Name, most), cut(i.Organization, most)
	}
	t.row(i.Username, i.ID, i.Name, i.Organization, string(i.Status))
	return nil
}

func (t *peopleTable) end() error { return t.table.print(t.out) }

// record is an identity and the key that found it.
type record struct {
	Key string `json:"key"`
	identitymap.Identity
}

type jsonLines struct{ out io.Writer }

func (j *jsonLines) print(key string, i identitymap.Identity) error {
	text, err := encode(record{key, i})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(j.out, "%s\n", text)
	return err
}

func (j *jsonLines) end() error { return nil }

type jsonArray struct {
	out  io.Writer
	rows int
}

func (j *jsonArray) print(key string, i identitymap.Identity) error {
	text, err := encode(record{key, i})
	if err != nil {
		return err
	}
	// Each record ends with its line, so that messages do not continue it on a terminal.
	begin := ", "
	if j.rows++; j.rows == 1 {
		begin = "[\n  "
	}
	_, err = fmt.Fprintf(j.out, "%s%s\n", begin, text)
	return err
}

func (j *jsonArray) end() error {
	text := "]\n"
	if j.rows == 0 {
		text = "[]\n"
	}
	_, err := io.WriteString(j.out, text)
	return err
}
