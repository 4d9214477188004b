//go:build interop

package contract_test

import (
	"os"
	"os/exec"
	"testing"
)

// TestEmulator_PagesInChromium also takes a screenshot of every page, into
// screenshots/, which git ignores. With PICTURES=1 in the environment, it writes the pictures
// of the README.
func TestEmulator_PagesInChromium(t *testing.T) {
	checkNode(t)
	t.Setenv("CHROMIUM", findChromium(t))
	line := startEmulator(t, buildCommand(t))
	report(t, runScript(t, "browser.mjs", line, nil))
	succeeded := succeededOperations(t, line)
	for _, operation := range []string{"authorize", "token", "authCodePage", "logoutPage", "getUserinfo", "getConsents"} {
		if !succeeded[operation] {
			t.Errorf("no request of %s succeeded", operation)
		}
	}
}

// findChromium fails unless there is a browser: CHROMIUM, or one in the path.
func findChromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{os.Getenv("CHROMIUM"), "chromium", "chromium-browser", "google-chrome"} {
		if name == "" {
			continue
		}
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatal("this test needs Chromium: run 'apt-get install chromium', or name one in CHROMIUM")
	return ""
}
