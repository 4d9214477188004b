package cli

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/globusauth/globusauth/authtest"
)

// Many changes are one write, at most a second later, and none is no write.
func TestSaver_WritesAtMostOnceASecond(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state.yaml")
	server, err := authtest.NewServer(authtest.Config{})
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		saver := &saver{server: server, path: path, warn: t.Errorf}
		stop := saver.start(t.Context())
		defer stop()
		writes, before := 0, ""
		for range 100 { // ten seconds
			server.Advance(time.Second)
			time.Sleep(savePause / 10)
			synctest.Wait()
			text, err := os.ReadFile(path)
			if err == nil && string(text) != before {
				writes++
				before = string(text)
			}
		}
		if writes != 10 {
			t.Errorf("%d writes in ten seconds, want 10", writes)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * savePause)
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("written without a change: %v", err)
		}
	})
}

// What a killed emulator left is removed at the start; a write that fails leaves nothing.
func TestState_UnfinishedFilesAreRemoved(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	path := filepath.Join(folder, "state.yaml")
	if err := os.WriteFile(path+unfinished, []byte("fake-refresh-of-before"), 0o600); err != nil {
		t.Fatal(err)
	}
	if world, err := readState(path); world != nil || err != nil {
		t.Fatalf("world %v, %v, want none", world, err)
	}
	if err := os.Mkdir(path, 0o700); err != nil { // cannot be replaced by a file
		t.Fatal(err)
	}
	if err := writeWorld(path, authtest.World{}); err == nil {
		t.Error("a folder was replaced")
	}
	left, err := os.ReadDir(folder)
	if err != nil || len(left) != 1 {
		t.Errorf("left: %v, %v", left, err)
	}
}
