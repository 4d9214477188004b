package cli

import (
	"context"
	"net/url"
	"os"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/app"
)

// finding is the result of one check.
type finding struct {
	Check  string `json:"check"`
	Status string `json:"status"` // ok, warning, failed, or skipped
	Detail string `json:"detail"`
	Advice string `json:"advice"` // what to do; empty: nothing, or Detail says it
}

// report is what the doctor prints.
type report struct {
	Settings []setting `json:"settings"`
	Checks   []finding `json:"checks"`
}

// doctor is one run of the verb. Checks that need what has failed are skipped.
type doctor struct {
	*runner
	report
	config app.Config // Client and Store are nil where they cannot be made
	online bool
}

func (r *runner) doctor() *cobra.Command {
	command := &cobra.Command{
		Use:   "doctor",
		Short: "Check configuration, network, clock and stored tokens",
		Long: `Check what the other commands need, and say what to do about each problem:
configuration, proxy, network, clock, the keys of the service, the token store
with its permissions and locks, stored tokens and their scopes. The first lines
show each setting and where it comes from.

Checks that need the network are skipped without one. Tokens are neither shown
nor refreshed, and nothing is stored. The exit code is 1 if a check failed, and 0
if there are only warnings.`,
		Args: exactArgs,
	}
	r.usesLogin(command)
	output := r.outputFlags(command, "table")
	command.RunE = func(cmd *cobra.Command, _ []string) error {
		d := &doctor{runner: r, report: report{Settings: r.effective(cmd), Checks: []finding{}}}
		d.examine(cmd.Context())
		if err := cmd.Context().Err(); err != nil {
			return err
		}
		if err := r.print(cmd.Context(), output, d.report, d.rows()); err != nil {
			return err
		}
		for _, f := range d.Checks {
			if f.Status == "failed" {
				return &problem{code: ExitFailed}
			}
		}
		return nil
	}
	return command
}

// effective returns the settings with what flags say.
func (r *runner) effective(cmd *cobra.Command) []setting {
	var list []setting
	for _, s := range r.settings {
		s := *s
		if flag := cmd.Flags().Lookup(s.Name); flag != nil && flag.Changed {
			s.Value, s.From = flag.Value.String(), "--"+s.Name
		}
		if s.Name == "base-url" {
			s.Value = withoutUser(s.Value)
		}
		list = append(list, s)
	}
	return list
}

// withoutUser is a URL without a password in it.
func withoutUser(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "not a URL"
	}
	return u.Redacted()
}

func (d *doctor) rows() table {
	rows := table{{"CHECK", "STATUS", "DETAIL", "WHAT TO DO"}}
	for _, s := range d.Settings {
		detail := s.Value + ", from " + s.From
		if s.Value == "" {
			detail = s.From
		}
		rows.row(s.Name, "setting", detail, "")
	}
	for _, f := range d.Checks {
		rows.row(f.Check, f.Status, f.Detail, f.Advice)
	}
	return rows
}

func (d *doctor) found(check, status, detail, advice string) {
	d.Checks = append(d.Checks, finding{check, status, detail, advice})
}

// failed reports an error, if there is one.
func (d *doctor) failed(check string, err error, advice string) bool {
	if err != nil {
		d.found(check, "failed", d.text(err), advice)
	}
	return err != nil
}

func (d *doctor) examine(ctx context.Context) {
	d.checkConfiguration()
	d.checkEnvironment()
	d.config = app.Config{ClientID: d.clientID, Namespace: d.profile, NoLogin: true}
	if d.failed("client", d.checkClientID(), "") {
		return
	}
	secret, err := d.clientSecret()
	if !d.failed("client secret", err, "") && secret != "" {
		d.config.Namespace = itself(d.profile)
		d.found("client secret", "ok", "the client acts as itself", "")
	}
	if d.config.Client, err = d.newClient(nil); !d.failed("service", err, "") {
		d.found("service", "ok", d.config.Client.BaseURL(), "")
		d.checkNetwork(ctx)
		d.checkStore(ctx)
	}
}

// checkConfiguration reports the configuration file. An invalid one does not stop the other checks.
func (d *doctor) checkConfiguration() {
	_, err := os.Stat(d.configPath)
	switch {
	case d.configPath == "":
		d.found("configuration", "ok", "no file, because there is no home directory", "")
	case d.failed("configuration", d.settingsErr, ""):
		d.settingsErr = nil
	case err != nil:
		d.found("configuration", "ok", "no file "+d.configPath, "")
	case !d.changeable("configuration", d.configPath):
		d.found("configuration", "ok", d.configPath, "")
	}
}

// changeable reports whether other users can change a file or directory.
func (d *doctor) changeable(check, path string) bool {
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm()&0o022 == 0 || info.Mode()&os.ModeSticky != 0 || runtime.GOOS == "windows" {
		return false
	}
	d.found(check, "warning", "others can change "+path, "run chmod go-w on it")
	return true
}

// checkEnvironment reports variables that have an effect which users may not expect, or none.
func (d *doctor) checkEnvironment() {
	before := len(d.Checks)
	if d.getenv(tokenVariable) != "" {
		d.found("environment", "warning", tokenVariable+" is used for auth.globus.org in place of the stored login", "unset it if that is not what you want")
	}
	if config, err := globusauth.FromEnvironment(); err == nil && config.UnsafeSkipTLSVerify {
		d.found("environment", "warning", "GLOBUS_SDK_VERIFY_SSL switches off the check of certificates: others can steal tokens", "unset it, or let it name a file of CA certificates")
	}
	for _, name := range officialVariables {
		if d.getenv(name[0]) != "" && d.getenv(name[1]) == "" {
			d.found("environment", "warning", name[0]+" is read by the official client only", "set "+name[1])
		}
	}
	if len(d.Checks) == before {
		d.found("environment", "ok", "no variable with an unexpected effect", "")
	}
}
