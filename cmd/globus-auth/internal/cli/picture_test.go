package cli_test

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/globusauth/globusauth/cmd/globus-auth/internal/cli"
)

const pictureFile = "../../../../docs/images/quickstart.svg"

// The picture in the README shows what the command prints. "go test -update" draws it again.
func TestQuickstart_Picture(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if code := cli.Run(t.Context(), []string{"quickstart"}, cli.Streams{In: strings.NewReader(""), Out: &out, Err: &out}, func(string) string { return "" }); code != cli.ExitOK {
		t.Fatalf("exit code %d\n%s", code, out.String())
	}
	text := strings.NewReplacer(":PORT", ":8765", "XXXX", "h3Qz").Replace(cleanQuickstart(out.String()))
	first, _, found := strings.Cut(text, "\n\n5. ")
	if !found {
		t.Fatalf("there is no step 5:\n%s", text)
	}
	picture := draw("globus-auth quickstart", first+"\n\n...")
	if *update {
		if err := os.WriteFile(pictureFile, []byte(picture), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(pictureFile)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != picture {
		t.Error("the picture shows something else: go test ./cmd/globus-auth/internal/cli -run Picture -update")
	}
}

// draw is a terminal as an SVG picture: a command and what it prints.
func draw(command, printed string) string {
	const size, advance, leading, margin, bar = 14, 8.43, 20, 20, 36
	lines := append([]string{"$ " + command}, strings.Split(printed, "\n")...)
	columns := 0
	for _, line := range lines {
		columns = max(columns, utf8.RuneCountInString(line))
	}
	width, height := int(float64(columns)*advance)+2*margin, len(lines)*leading+2*margin+bar
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d" role="img" aria-label="A terminal: %s">`+"\n", width, height, command)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" rx="10" fill="#1b1f24"/>`+"\n", width, height)
	for i, colour := range []string{"#ff5f57", "#febc2e", "#28c840"} {
		fmt.Fprintf(&b, `<circle cx="%d" cy="20" r="6" fill="%s"/>`+"\n", margin+6+i*20, colour)
	}
	fmt.Fprintf(&b, `<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="%d" fill="#d6dce4">`+"\n", size)
	for i, line := range lines {
		if strings.TrimSpace(line) == "" {
			continue
		}
		var escaped strings.Builder
		if err := xml.EscapeText(&escaped, []byte(line)); err != nil {
			return err.Error()
		}
		style := ""
		switch {
		case i == 0:
			style = ` fill="#7ee787"`
		case line[0] != ' ':
			style = ` font-weight="bold" fill="#ffffff"`
		}
		fmt.Fprintf(&b, `<text x="%d" y="%d" xml:space="preserve"%s>%s</text>`+"\n", margin, bar+margin+i*leading, style, escaped.String())
	}
	b.WriteString("</g>\n</svg>\n")
	return b.String()
}
