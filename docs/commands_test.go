package docs_test

import (
	"bufio"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// elsewhere are the commands that this package does not run, by their beginning or by the name of the document. A file of the
// project has the text of what runs them.
var elsewhere = map[string]struct{ file, text string }{
	"go run ./cmd/globus-auth quickstart":   {".ci/run", `"$work/globus-auth" quickstart`},
	"go run ./cmd/globus-auth emulator":     {"docs/guides/testing.md", "$ globus-auth emulator"},
	"go install ./cmd/globus-auth":          {".ci/run", `./cmd/globus-auth`},
	"go test ./...":                         {".ci/run", "go test -count=1 -timeout 10m ./..."},
	"cd examples/fleet && go run . local":   {"examples/fleet/fleet_interop_test.go", "local(ctx, address"},
	"go -C tools run ./bench":               {".ci/run", "go -C tools run ./bench"},
	"go build -C terraform":                 {"docs/guides/terraform.md", "$ go build -C terraform"}, // which the tests of terraform run
	"cp -r examples/terraform ~/laboratory": {"docs/guides/terraform.md", "$ cp -r examples/terraform ~/laboratory"},
	"cd ~/laboratory":                       {"docs/guides/terraform.md", "$ cd ~/laboratory"},
	"tofu":                                  {"docs/guides/terraform.md", "$ tofu apply"},
	"docs/guides/terraform.md":              {"terraform/internal/provider/engine_test.go", "/docs/guides/terraform.md"},
	"docs/releasing.md":                     {"tools/release/dryrun_test.go", "/docs/releasing.md"},
}

// shellCommand is a command in a document and what it prints there.
type shellCommand struct {
	text, want string
	line       int
}

// inline is a "go test" within a sentence.
var inline = regexp.MustCompile("`(go test [^`]*)`")

// commands finds the commands of a document: those after "$ " in blocks of a console, whole blocks of sh, and tests within sentences.
func commands(lines []string) []shellCommand {
	var found []shellCommand
	blocks, prose := fences(lines)
	for n, line := range prose {
		for _, match := range inline.FindAllStringSubmatch(line, -1) {
			found = append(found, shellCommand{text: match[1], line: n + 1})
		}
	}
	for _, block := range blocks {
		if block.language == "sh" {
			found = append(found, shellCommand{text: strings.Join(block.code, "\n"), line: block.line + 1})
		}
		if block.language != "console" {
			continue
		}
		continued := false
		for n, line := range block.code {
			last := len(found) - 1
			switch text, ok := strings.CutPrefix(line, "$ "); {
			case continued:
				found[last].text += "\n" + line
				continued = strings.HasSuffix(line, `\`)
			case ok:
				found = append(found, shellCommand{text: text, line: block.line + n + 1})
				continued = strings.HasSuffix(line, `\`)
			case n > 0:
				found[last].want += line + "\n"
			}
		}
	}
	return found
}

// documents are the names of all documents that are written by hand, from the root of the project.
func documents(t *testing.T) []string {
	t.Helper()
	var found []string
	err := fs.WalkDir(os.DirFS(".."), ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (slices.Contains([]string{".git", "node_modules", "testdata"}, entry.Name()) || name == "terraform/docs"):
			return fs.SkipDir
		case strings.HasSuffix(name, ".md"):
			found = append(found, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func readLines(t *testing.T, name string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(string(text), "\n")
}

// Every command in a document is run by a test or by CI.
func TestDocuments_CommandsRun(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("the commands are for a POSIX shell")
	}
	bin := buildPrograms(t)
	t.Run("documents", func(t *testing.T) {
		t.Parallel()
		used, ran := map[string]bool{}, map[string]bool{}
		for _, name := range documents(t) {
			var here []shellCommand
			for _, command := range commands(readLines(t, name)) {
				switch key := listed(name, command.text); {
				case key != "":
					used[key] = true
				case strings.Contains(command.text, "go test "):
					checkGoTest(t, name, command)
				default:
					here = append(here, command)
				}
			}
			setup, ok := sessions[name]
			ran[name] = len(here) > 0
			switch {
			case len(here) == 0:
			case !ok:
				t.Errorf("%s:%d: nothing runs %q: add the document to sessions, or the command to elsewhere", name, here[0].line, here[0].text)
			default:
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					newSession(t, bin, setup).run(name, here)
				})
			}
		}
		for beginning, by := range elsewhere {
			if !used[beginning] {
				t.Errorf("no document has the command %q", beginning)
			}
			if !strings.Contains(strings.Join(readLines(t, by.file), "\n"), by.text) {
				t.Errorf("%q: %s does not have %q", beginning, by.file, by.text)
			}
		}
		for name := range sessions {
			if !ran[name] {
				t.Errorf("%s has no command to run", name)
			}
		}
	})
}

// listed returns the entry of a command in elsewhere.
func listed(document, command string) string {
	if _, ok := elsewhere[document]; ok {
		return document
	}
	for beginning := range maps.Keys(elsewhere) {
		if rest, ok := strings.CutPrefix(command, beginning); ok && (rest == "" || rest[0] == ' ') {
			return beginning
		}
	}
	return ""
}

var (
	change      = regexp.MustCompile(`(?m)(?:^cd|-C) (\S+)`)
	pattern     = regexp.MustCompile(`-(run|bench) ('[^']*'|\S+)`)
	directory   = regexp.MustCompile(` (\./?\S*)`)
	variable    = regexp.MustCompile(`(?m)^([A-Z_]+)=`)
	declaration = regexp.MustCompile(`(?m)^func ((?:Test|Benchmark)\w+)`)
)

// checkGoTest checks that what "go test" shall run exists. CI runs all of it, though not as often.
func checkGoTest(t *testing.T, name string, block shellCommand) {
	t.Helper()
	root := ".."
	for line := range strings.Lines(block.text) {
		if match := change.FindStringSubmatch(line); match != nil {
			root = filepath.Join("..", match[1])
		}
		if !strings.Contains(line, "go test ") {
			continue
		}
		dirs := []string{"."}
		if found := directory.FindAllStringSubmatch(line, -1); found != nil {
			dirs = nil
			for _, match := range found {
				dirs = append(dirs, match[1])
			}
		}
		for _, dir := range dirs {
			var source strings.Builder
			files, err := filepath.Glob(filepath.Join(root, dir, "*_test.go"))
			if err != nil || len(files) == 0 {
				t.Errorf("%s:%d: no tests in %s", name, block.line, filepath.Join(root, dir))
			}
			for _, file := range files {
				text, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				source.Write(text)
			}
			for _, match := range pattern.FindAllStringSubmatch(line, -1) {
				top, _, _ := strings.Cut(strings.Trim(match[2], "'"), "/")
				kind := map[string]string{"run": "Test", "bench": "Benchmark"}[match[1]]
				if top != "^$" && !declares(source.String(), kind, top) {
					t.Errorf("%s:%d: %s has no %s that matches %q", name, block.line, dir, kind, top)
				}
			}
			for _, match := range variable.FindAllStringSubmatch(line, -1) {
				if !strings.Contains(source.String(), match[1]) {
					t.Errorf("%s:%d: the tests in %s do not read %s", name, block.line, dir, match[1])
				}
			}
		}
	}
}

func declares(source, kind, expression string) bool {
	re, err := regexp.Compile(expression)
	if err != nil {
		return false
	}
	for _, match := range declaration.FindAllStringSubmatch(source, -1) {
		if strings.HasPrefix(match[1], kind) && re.MatchString(match[1]) {
			return true
		}
	}
	return false
}

// buildPrograms builds the programs that documents run, and a browser in which a user is signed in.
func buildPrograms(t *testing.T) string {
	t.Helper()
	for _, needed := range []string{"bash", "curl"} {
		if _, err := exec.LookPath(needed); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatal(err)
			}
			t.Skip(err)
		}
	}
	bin := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-o", bin+string(filepath.Separator), "../cmd/globus-auth",
		"../examples/administration", "../examples/service", "../examples/tool", "../examples/resourceserver")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, name := range []string{"xdg-open", "open"} {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\nexec curl -sSLo /dev/null \"$1\"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return bin
}

// prelude makes the commands that serve until they are interrupted print their first line and go on in the background.
const prelude = `
trap 'kill $(jobs -p) 2>/dev/null; wait' EXIT
globus-auth() {
	case "$*" in
	*--check* | *--help*) command globus-auth "$@" ;;
	guard* | emulator*)
		mkfifo "$HOME/ready"
		command globus-auth "$@" >"$HOME/ready" 2>/dev/null &
		exec 3<"$HOME/ready"
		local line && read -r line <&3 && printf '%s\n' "$line"
		;;
	*) command globus-auth "$@" ;;
	esac
}
background() { # background ADDRESS COMMAND...
	"${@:2}" &
	until (exec 4<>"/dev/tcp/${1/://}") 2>/dev/null; do :; done
}
`

// session is a shell in which the commands of a document run.
type session struct {
	*testing.T
	dir    string
	stdin  io.WriteCloser
	pipe   *os.File
	stdout *bufio.Reader
	// as has what stands in the document, and what it is here.
	as map[string]string
}

func newSession(t *testing.T, bin string, setup func(*session) string) *session {
	t.Helper()
	s := &session{T: t, dir: t.TempDir(), as: map[string]string{}}
	s.write(".curlrc", "silent\nshow-error\n")
	begin := prelude + setup(s)
	shell := exec.CommandContext(t.Context(), "bash")
	shell.Dir = s.dir
	shell.Env = []string{"HOME=" + s.dir, "DISPLAY=:0", "PATH=" + bin + string(filepath.ListSeparator) + os.Getenv("PATH")}
	stdin, err := shell.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	shell.Stdout, shell.Stderr = write, write
	if err := shell.Start(); err != nil {
		t.Fatal(err)
	}
	_ = write.Close()
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = shell.Wait()
		_ = read.Close()
	})
	s.stdin, s.pipe, s.stdout = stdin, read, bufio.NewReader(read)
	if out, status := s.command(begin); status != "0" {
		t.Fatalf("exit status %s\n%s", status, out)
	}
	return s
}

// command runs a command in the shell.
func (s *session) command(text string) (out, status string) {
	s.Helper()
	_, err := fmt.Fprintf(s.stdin, "{ %s\n} </dev/null; status=$?; printf '\\001%%d\\n' $status; (exit $status)\n", text)
	if err == nil {
		err = s.pipe.SetReadDeadline(time.Now().Add(time.Minute))
	}
	if err == nil {
		out, err = s.stdout.ReadString(1)
	}
	if err == nil {
		status, err = s.stdout.ReadString('\n')
	}
	if err != nil {
		s.Fatalf("%s: %v\n%s", text, err, out)
	}
	return strings.TrimSuffix(out, "\x01"), strings.TrimSuffix(status, "\n")
}

// write writes a file in the directory of the session.
func (s *session) write(name, text string) {
	s.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(s.here(text)), 0o600); err != nil {
		s.Fatal(err)
	}
}

// here replaces what stands in the document.
func (s *session) here(text string) string {
	for _, from := range slices.Sorted(maps.Keys(s.as)) {
		text = strings.ReplaceAll(text, from, s.as[from])
	}
	return text
}

var (
	uuids  = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)
	times  = regexp.MustCompile(`\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z| \+0000 UTC|[+-]\d\d:\d\d)`)
	secret = regexp.MustCompile(`(\w+)=\.\.\.`)
)

// run runs the commands of a document, and compares what they print. IDs and times may differ; an ID that a command
// prints replaces that of the document from there on.
func (s *session) run(name string, list []shellCommand) {
	s.Helper()
	for _, command := range list {
		text := secret.ReplaceAllString(s.here(command.text), `$1="$$$1"`)
		got, status := s.command(text)
		want := command.want
		if want == "" {
			if status != "0" {
				s.Errorf("%s:%d: %s: exit status %s\n%s", name, command.line, text, status, got)
			}
			continue
		}
		theirs, ours := uuids.FindAllString(want, -1), uuids.FindAllString(got, -1)
		for i := range min(len(theirs), len(ours)) {
			if _, ok := s.as[theirs[i]]; !ok {
				s.as[theirs[i]] = ours[i]
			}
		}
		if !printed(s.here(want), got) {
			s.Errorf("%s:%d: %s prints\n%s\nthe document has\n%s", name, command.line, text, got, want)
		}
	}
}

// printed compares the output of a document with that of a command. "..." stands for anything.
func printed(want, got string) bool {
	plain := func(text string) string {
		return strings.TrimSpace(times.ReplaceAllString(strings.ReplaceAll(text, "\r", ""), "TIME"))
	}
	expression := strings.ReplaceAll(regexp.QuoteMeta(plain(want)), `\.\.\.`, ".*")
	return regexp.MustCompile("^(?s:" + expression + ")$").MatchString(plain(got))
}
