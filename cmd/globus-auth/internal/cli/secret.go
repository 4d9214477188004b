package cli

import (
	"encoding/json"
	"os"
	"runtime"
)

// secretSink is where a new secret goes: a file of its own, or else the terminal.
type secretSink struct {
	*os.File
	path string // "" for the terminal
	kept bool
}

// newSecretSink opens the sink before the secret is created, so that it cannot be lost.
func newSecretSink(path string) (*secretSink, error) {
	if path != "" {
		file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return nil, &problem{words: "--secret-file", err: err}
		}
		return &secretSink{File: file, path: path}, nil
	}
	terminal := "/dev/tty"
	if runtime.GOOS == "windows" {
		terminal = "CONOUT$"
	}
	file, err := os.OpenFile(terminal, os.O_WRONLY, 0)
	if err != nil {
		return nil, usagef("the response has a new secret, and there is no terminal to show it on: use --secret-file")
	}
	return &secretSink{File: file}, nil
}

// close removes the file if no secret came.
func (s *secretSink) close() {
	_ = s.Close()
	if s.path != "" && !s.kept {
		_ = os.Remove(s.path)
	}
}

// take keeps the secret of a response, and returns the response without it.
func (s *secretSink) take(document json.RawMessage) (json.RawMessage, error) {
	secret := ""
	document = withoutSecret(document, &secret)
	if secret == "" {
		return document, failf("the response has no secret")
	}
	line := secret + "\n"
	if s.path == "" {
		line = "Secret, shown only once: " + cell(secret) + "\n"
	}
	_, err := s.WriteString(line)
	if err == nil && s.path != "" {
		err = s.Sync()
	}
	if err != nil {
		return document, &problem{words: "the secret was created, but it cannot be written, and no later response has it", err: err}
	}
	s.kept = true
	return document, nil
}

// withoutSecret replaces the field "secret" of an object, however deep.
func withoutSecret(document json.RawMessage, secret *string) json.RawMessage {
	list := properties(document)
	if list == nil {
		return document
	}
	text := []byte("{")
	for i, p := range list {
		if p.name == "secret" && json.Unmarshal(p.value, secret) == nil && *secret != "" {
			p.value = json.RawMessage(`"[redacted]"`)
		}
		if i > 0 {
			text = append(text, ',')
		}
		name, _ := json.Marshal(p.name) //nolint:errchkjson // a string
		text = append(append(append(text, name...), ':'), withoutSecret(p.value, secret)...)
	}
	return append(text, '}')
}
