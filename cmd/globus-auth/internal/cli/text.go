package cli

import (
	"cmp"
	"errors"
	"os"
	"regexp"
	"strconv"
	"strings"

	"github.com/rivo/uniseg"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/globusauth/globusauth/tokens"
)

// operations are what the packages of the library put before an error, such as
// "app: log in: flows: client credentials: globusauth: Token: ".
var operations = regexp.MustCompile(`(?m)(^|: )(?:(?:apierror|app|authtest|consents|filestore|flows|gen|globusauth|identitymap|idtoken|` +
	`keyringstore|login|scopes|sqlitestore|tokens|unixtime): (?:[A-Za-z]+(?: [A-Za-z]+){0,4}: )?)+`)

// text is an error as it is printed: without the operations of the library and in
// terms of flags, unless --verbose is given.
func (r *runner) text(err error) string {
	if r.verbose {
		return err.Error()
	}
	text := operations.ReplaceAllString(err.Error(), "$1")
	if needed := tokens.ErrLoginRequired.Error() + ": "; errors.Is(err, tokens.ErrLoginRequired) {
		if _, reason, found := strings.Cut(text, needed); found && !strings.HasPrefix(reason, "run ") {
			text = needed + reason // what led to it does not matter then
		}
	}
	address := "--base-url"
	if r.baseURL == "" {
		address = "GLOBUS_SDK_SERVICE_URL_AUTH"
	}
	return strings.ReplaceAll(text, "Config.BaseURL", address)
}

// help prints the help of a command, at most 80 columns wide.
func (r *runner) help(cmd *cobra.Command, _ []string) {
	text := strings.TrimSpace(cmp.Or(cmd.Long, cmd.Short)) + "\n\n" + cmd.UsageString()
	cmd.Print(wrap(text, r.width()))
}

// width is how many columns a help text may have.
func (r *runner) width() int {
	const least, most = 40, 80
	columns, err := strconv.Atoi(r.getenv("COLUMNS"))
	if file, ok := r.Out.(*os.File); ok && err != nil {
		columns, _, err = term.GetSize(int(file.Fd()))
	}
	if err != nil {
		return most
	}
	return min(most, max(least, columns))
}

// wrap fills the lines of each paragraph up to a width. Lines that begin with a
// space are a list: what does not fit goes below the last column of the list.
func wrap(text string, width int) string {
	var lines []string
	begun := false // a paragraph that the next line continues
	for line := range strings.SplitSeq(text, "\n") {
		paragraph := line != "" && line[0] != ' '
		if paragraph && begun {
			last := len(lines) - 1
			line, lines = lines[last]+" "+line, lines[:last]
		}
		begun = paragraph
		indent := ""
		if !paragraph && line != "" {
			indent = strings.Repeat(" ", strings.LastIndex(line, "  ")+2)
		}
		for uniseg.StringWidth(line) > width {
			at := strings.LastIndexByte(line[:width+1], ' ')
			if at < max(len(indent), 1) {
				break // a word that is longer
			}
			lines = append(lines, strings.TrimRight(line[:at], " "))
			line = indent + line[at+1:]
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}
