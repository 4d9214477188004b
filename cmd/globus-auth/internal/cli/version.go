package cli

import (
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/globusauth/globusauth"
)

// buildInfo is what is known of the build. It has no path of the machine that built it.
type buildInfo struct {
	Version  string `json:"version"`
	Commit   string `json:"commit"`   // empty: unknown
	Time     string `json:"time"`     // of the commit, RFC 3339; empty: unknown
	Modified bool   `json:"modified"` // files differed from the commit
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func newBuildInfo(settings []debug.BuildSetting) buildInfo {
	info := buildInfo{Version: globusauth.Version(), Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	for _, setting := range settings {
		switch setting.Key {
		case "vcs.revision":
			info.Commit = setting.Value
		case "vcs.time":
			info.Time = setting.Value
		case "vcs.modified":
			info.Modified = setting.Value == "true"
		}
	}
	return info
}

func (r *runner) version() *cobra.Command {
	command := &cobra.Command{
		Use:   "version",
		Short: "Show the version and how it was built",
		Long: `Show the version of the command, and from which commit, with which Go version and
for which platform it was built. It reads no file and sends no request.`,
		Args: exactArgs,
	}
	output := r.outputFlags(command, "table")
	command.RunE = func(cmd *cobra.Command, _ []string) error {
		var settings []debug.BuildSetting
		if build, ok := debug.ReadBuildInfo(); ok {
			settings = build.Settings
		}
		info := newBuildInfo(settings)
		rows := table{{"Version", info.Version}, {"Go", info.Go}, {"Platform", info.Platform}}
		if info.Commit != "" {
			commit := info.Commit + " " + info.Time
			if info.Modified {
				commit += " (modified)"
			}
			rows.row("Commit", commit)
		}
		return r.print(cmd.Context(), output, info, rows)
	}
	return command
}
