package cli

import (
	"cmp"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

const (
	configVariable      = "GLOBUS_AUTH_CONFIG"
	environmentVariable = "GLOBUS_SDK_ENVIRONMENT"
	addressVariable     = "GLOBUS_SDK_SERVICE_URL_AUTH"
)

// setting is a choice of the user: a flag replaces a variable of the environment, which replaces the
// configuration file.
type setting struct {
	Name  string `json:"name"` // of the flag, if it has one
	Value string `json:"value"`
	From  string `json:"from"` // a flag, a variable, a file, or "default"

	variable string
	inFile   bool    // the configuration file may have it, with _ for -
	target   *string // nil: the library reads the variable
}

func (s *setting) field() string { return strings.ReplaceAll(s.Name, "-", "_") }

// loadSettings sets what environment and configuration file say. Flags are parsed later. An invalid file
// is an error of the first command that uses it.
func (r *runner) loadSettings() {
	r.settings = []*setting{
		{Name: "client-id", variable: clientVariable, inFile: true, target: &r.clientID},
		{Name: "profile", variable: "GLOBUS_AUTH_PROFILE", target: &r.profile},
		{Name: "environment", variable: environmentVariable, inFile: true, target: &r.environment},
		{Name: "base-url", variable: addressVariable},
		{Name: "store", variable: "GLOBUS_AUTH_STORE", inFile: true, target: &r.store},
		{Name: "store-dir", variable: "GLOBUS_AUTH_STORE_DIR", target: &r.storeDir},
		{Name: "format", variable: "GLOBUS_AUTH_FORMAT", inFile: true, target: &r.format},
	}
	var values map[string]string
	r.configPath, values, r.settingsErr = r.readConfig()
	for _, s := range r.settings {
		switch inFile := values[s.field()]; {
		case r.getenv(s.variable) != "":
			s.Value, s.From = r.getenv(s.variable), s.variable
		case inFile != "":
			s.Value, s.From = inFile, r.configPath
		default:
			s.From = "default"
		}
		if s.target != nil {
			*s.target = s.Value
		}
	}
	if r.format != "" && !slices.Contains(formats(), r.format) {
		r.settingsErr = cmp.Or(r.settingsErr, usagef("the format %q, from %s, is invalid: use %s", r.format, r.setting("format").From, strings.Join(formats(), ", ")))
		r.format = ""
	}
}

// from is what set a flag, or another setting.
func (r *runner) from(name string) string {
	if flag := r.shared.Lookup(name); flag != nil && flag.Changed {
		return "--" + name
	}
	return r.setting(name).From
}

func (r *runner) setting(name string) *setting {
	return r.settings[slices.IndexFunc(r.settings, func(s *setting) bool { return s.Name == name })]
}

// readConfig reads the configuration file, which need not exist where no variable names it.
func (r *runner) readConfig() (path string, values map[string]string, err error) {
	path = r.getenv(configVariable)
	named := path != ""
	if !named {
		dir, err := os.UserConfigDir()
		if err != nil { // there is no home directory
			return "", nil, nil
		}
		path = filepath.Join(dir, appName, "config.yaml")
	}
	file, err := openRegular("configuration", path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !named:
		return path, nil, nil
	case err != nil:
		return path, nil, &problem{err: err, code: ExitUsage}
	}
	defer func() { _ = file.Close() }()
	text, err := readLimited(file, maxInput)
	if err != nil || yaml.Unmarshal(text, &values) != nil {
		return path, nil, usagef("%s is invalid: write one \"name: value\" per line", path)
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if !slices.ContainsFunc(r.settings, func(s *setting) bool { return s.inFile && s.field() == name }) {
			return path, nil, usagef("%s has the unknown field %q: it may have %s", path, name, r.configFields())
		}
	}
	return path, values, nil
}

// configFields lists the fields of the configuration file.
func (r *runner) configFields() string {
	var names []string
	for _, s := range r.settings {
		if s.inFile {
			names = append(names, s.field())
		}
	}
	return strings.Join(names, ", ")
}
