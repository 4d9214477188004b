package storetest_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/globusauth/globusauth/tokens"
	"github.com/globusauth/globusauth/tokens/filestore"
	"github.com/globusauth/globusauth/tokens/internal/fleettest"
	"github.com/globusauth/globusauth/tokens/sqlitestore"
)

// These tests run real processes in real time. How many is set by the
// environment: STORETEST_KILLS (for each store), STORETEST_FLEET ("processes
// goroutines seconds"); the defaults are for every day.
const (
	defaultKills = 6
	defaultFleet = "4 4 2"
	// speed makes tokens expire after 200 ms.
	speed = 100
)

func TestMain(m *testing.M) {
	fleettest.Main(openStore)
	os.Exit(m.Run())
}

func openStore(kind, dir string) (tokens.Store, error) {
	if kind == "file" {
		return filestore.New(filestore.Config{AppName: "app", Dir: dir})
	}
	return sqlitestore.New(sqlitestore.Config{AppName: "app", Dir: dir})
}

func TestKill(t *testing.T) {
	t.Parallel()
	kills := fleettest.Kills(t, "STORETEST_KILLS", defaultKills)
	for _, kind := range []string{"file", "sqlite"} {
		for _, grace := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/grace=%v", kind, grace), func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				fleettest.Fleet{Open: openStore, Kind: kind, Place: dir, Speed: speed}.Kill(t, grace, kills)
				entries, err := filepath.Glob(filepath.Join(dir, fleettest.Key().ClientID, "app", "*"))
				if err != nil || len(entries) == 0 || len(entries) > 3 {
					t.Errorf("killed processes left %v, %v", entries, err)
				}
			})
		}
	}
}

func TestFleet(t *testing.T) {
	t.Parallel()
	processes, goroutines, duration := fleettest.Processes(t, "STORETEST_FLEET", defaultFleet)
	for _, kind := range []string{"file", "sqlite"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			fleettest.Fleet{Open: openStore, Kind: kind, Place: t.TempDir(), Speed: speed}.Share(t, processes, goroutines, duration, nil)
		})
	}
}
