//go:build linux || darwin

package secretfile

import (
	"io/fs"
	"os"
	"syscall"
)

const readOnlyMount = 1 // ST_RDONLY of Linux, MNT_RDONLY of macOS

func system(file *os.File, info fs.FileInfo) (root, readOnly bool) {
	var mount syscall.Statfs_t
	if syscall.Fstatfs(int(file.Fd()), &mount) == nil {
		readOnly = mount.Flags&readOnlyMount != 0
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	return ok && owner.Uid == 0, readOnly
}
