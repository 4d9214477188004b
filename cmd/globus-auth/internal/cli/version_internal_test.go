package cli

import (
	"runtime"
	"runtime/debug"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/globusauth/globusauth"
)

func TestNewBuildInfo(t *testing.T) {
	t.Parallel()
	got := newBuildInfo([]debug.BuildSetting{
		{Key: "-ldflags", Value: "/home/builder/secret"},
		{Key: "vcs.revision", Value: "0123456789abcdef"},
		{Key: "vcs.time", Value: "2026-01-02T03:04:05Z"},
		{Key: "vcs.modified", Value: "true"},
	})
	want := buildInfo{
		Version: globusauth.Version(), Commit: "0123456789abcdef", Time: "2026-01-02T03:04:05Z", Modified: true,
		Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if newBuildInfo([]debug.BuildSetting{{Key: "vcs.modified", Value: "false"}}).Modified {
		t.Error("a clean build is modified")
	}
	if got := newBuildInfo(nil); got.Commit != "" || got.Version == "" || got.Modified {
		t.Errorf("without build settings: %+v", got)
	}
}
