package fleettest

import (
	"os"
	"syscall"
	"testing"
)

// SmallDisk mounts a disk of a size such as "1m". Outside of continuous integration, a test without the right to is skipped.
func SmallDisk(t *testing.T, size string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size+",mode=700"); err != nil {
		if os.Getenv("CI") == "" {
			t.Skipf("a small disk needs the right to mount one: %v", err)
		}
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	return dir
}
