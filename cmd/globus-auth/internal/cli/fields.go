package cli

import (
	"context"
	"encoding/csv"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"github.com/globusauth/globusauth/internal/uuid"
)

// field is a parameter of an operation or a field of its body.
type field struct {
	name, help, kind, format, pattern string
	list, required, nullable          bool
	words                             []string // that the value can be
}

func (f field) flag() string {
	name := strings.ReplaceAll(f.name, "_", "-")
	if f.secret() {
		name += "-file"
	}
	return name
}

func (f field) secret() bool { return f.format == "password" }

// check says what is wrong with a value, which is one of encoding/json.
func (f field) check(value any) error {
	items, list := value.([]any)
	if list != f.list {
		return fmt.Errorf("must be %s", f.what())
	}
	f.list = false
	for _, item := range items {
		if err := f.check(item); err != nil {
			return err
		}
	}
	if list {
		return nil
	}
	valid := false
	switch v := value.(type) {
	case string:
		valid = f.kind == "string"
		switch {
		case !valid:
		case len(f.words) > 0 && !slices.Contains(f.words, v):
			return fmt.Errorf("must be one of %s", strings.Join(f.words, ", "))
		case f.format == "uuid" && !uuid.Valid(v):
			return fmt.Errorf("%q is not an ID (UUID)", v)
		case f.pattern != "" && !regexp.MustCompile(f.pattern).MatchString(v):
			return fmt.Errorf("must match %s", f.pattern)
		}
	case bool:
		valid = f.kind == "boolean"
	case int:
		valid = f.kind == "integer"
	case map[string]any:
		valid = f.kind == "object"
	}
	if !valid {
		return fmt.Errorf("must be %s", f.what())
	}
	return nil
}

func (f field) what() string {
	switch {
	case f.list:
		return "a list"
	case f.kind == "integer" || f.kind == "object":
		return "an " + f.kind
	}
	return "a " + f.kind
}

// fieldFlag is the flag of a field.
type fieldFlag struct {
	field
	text  string
	value any // nil: not given
}

func (f *fieldFlag) String() string { return f.text }

// Type is shown in the help in place of a value.
func (f *fieldFlag) Type() string {
	switch {
	case f.secret():
		return "file"
	case f.kind == "object":
		return "JSON"
	case f.format == "uuid":
		return "ID"
	case f.kind == "boolean":
		return "bool" // pflag shows no value
	}
	return f.kind
}

// Set takes the text of the command line: a string, several strings separated by commas, or JSON. A
// flag of strings can be given several times.
func (f *fieldFlag) Set(text string) error {
	f.text = text
	value, err := any(text), error(nil)
	switch {
	case f.secret():
		f.value = text
		return nil
	case f.kind != "string":
		err = yaml.Unmarshal([]byte(text), &value)
	case f.list:
		value, err = split(f.value, text)
	}
	if err != nil {
		return fmt.Errorf("must be %s", f.what())
	}
	f.value = value
	return f.check(value)
}

// split adds the values in one line of CSV to a list.
func split(before any, text string) (any, error) {
	list, _ := before.([]any)
	if text == "" {
		return slices.Concat([]any{}, list), nil
	}
	words, err := csv.NewReader(strings.NewReader(text)).Read()
	for _, word := range words {
		list = append(list, word)
	}
	return list, err
}

// input is what a verb takes besides its arguments.
type input struct {
	flags []*fieldFlag
	from  string
	clear []string
}

func newInput(command *cobra.Command, fields []field) *input {
	in := &input{}
	for _, f := range fields {
		usage := strings.TrimSuffix(lower(words(forUsers(f.help))), ".")
		if f.secret() {
			usage += `; read from a file, or "-" for standard input`
		}
		if len(f.words) > 0 {
			usage += ": " + strings.Join(f.words, ", ")
		}
		if f.required {
			usage += " (required)"
		}
		flag := &fieldFlag{field: f}
		in.flags = append(in.flags, flag)
		added := command.Flags().VarPF(flag, f.flag(), "", usage)
		if f.kind == "boolean" {
			added.NoOptDefVal = "true"
		}
		if !f.secret() {
			_ = command.RegisterFlagCompletionFunc(f.flag(), cobra.FixedCompletions(f.words, cobra.ShellCompDirectiveNoFileComp))
		}
	}
	return in
}

// fileFlags adds the flags --from and --clear.
func (in *input) fileFlags(command *cobra.Command) {
	command.Flags().StringVar(&in.from, "from", "", `YAML or JSON `+"`file`"+` with the fields, or "-" for standard input; flags replace its fields`)
	var names []string
	for _, flag := range in.flags {
		if flag.nullable {
			names = append(names, flag.name)
		}
	}
	if len(names) > 0 {
		command.Flags().StringSliceVar(&in.clear, "clear", nil, "`field` to set to null: "+strings.Join(names, ", "))
		_ = command.RegisterFlagCompletionFunc("clear", cobra.FixedCompletions(names, cobra.ShellCompDirectiveNoFileComp))
	}
}

func (in *input) find(name string) *fieldFlag {
	for _, flag := range in.flags {
		if flag.name == strings.ReplaceAll(name, "-", "_") {
			return flag
		}
	}
	return nil
}

// values returns what flags and file give, by field; null is nil.
func (in *input) values(ctx context.Context, r *runner, envelope string) (map[string]any, error) {
	values, err := in.read(ctx, r, envelope)
	if err != nil {
		return nil, err
	}
	for _, name := range in.clear {
		if flag := in.find(name); flag == nil || !flag.nullable {
			return nil, usagef("--clear: %q cannot be set to null", name)
		} else if flag.value != nil {
			return nil, usagef("--clear %s and --%s exclude each other", name, flag.flag())
		}
		values[in.find(name).name] = nil
	}
	for _, flag := range in.flags {
		if flag.value != nil {
			values[flag.name] = flag.value
		}
		if _, given := values[flag.name]; flag.required && !given {
			return nil, usagef("--%s is missing", flag.flag())
		}
		if path, ok := flag.value.(string); ok && flag.secret() {
			if values[flag.name], err = r.readSecretFlag(ctx, flag.flag(), path); err != nil {
				return nil, err
			}
		}
	}
	return values, nil
}

// read reads the file of --from.
func (in *input) read(ctx context.Context, r *runner, envelope string) (map[string]any, error) {
	values := map[string]any{}
	if in.from == "" {
		return values, nil
	}
	text, err := r.readInput(ctx, "--from", in.from, maxInput)
	if err != nil {
		return nil, err
	}
	if err := yaml.Unmarshal(text, &values); err != nil {
		return nil, &problem{words: "--from", err: err, code: ExitUsage}
	}
	if inner, ok := values[envelope].(map[string]any); ok && len(values) == 1 {
		values = inner
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		flag := in.find(name)
		if flag == nil || flag.name != name {
			return nil, usagef("--from: unknown field %q", name)
		}
		if values[name] == nil && flag.nullable {
			continue
		}
		if err := flag.check(values[name]); err != nil {
			return nil, &problem{words: "--from: " + name, err: err, code: ExitUsage}
		}
	}
	return values, nil
}

// plain is a value as a parameter of a query has it.
func plain(value any) string {
	list, ok := value.([]any)
	if !ok {
		return fmt.Sprint(value)
	}
	var items []string
	for _, item := range list {
		items = append(items, fmt.Sprint(item))
	}
	return strings.Join(items, ",")
}

// words is a text without line breaks.
func words(text string) string { return strings.Join(strings.Fields(text), " ") }

// lower writes the first letter in lower case, unless it begins an abbreviation.
func lower(text string) string {
	if len(text) > 1 && text[1] >= 'a' {
		return strings.ToLower(text[:1]) + text[1:]
	}
	return text
}
