// Package secretfile reads files with secrets, which other users must not be able to read.
package secretfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

const (
	others   = 0o077
	rootOnly = 0o640 // what root may grant to a group, such as that of a service
)

// Read reads a file of at most max bytes, or a pipe. A regular file must not be accessible to other users, with two
// exceptions: its group may read it if it belongs to root, and on a read-only mount any mode is accepted. Kubernetes
// and Docker mount secrets read-only, by default with mode 0644 or 0444; who can read them there is decided outside.
func Read(name string, max int) ([]byte, error) {
	// A FIFO that has no writer reads as empty; without the flag the open would wait.
	file, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if info.Mode().IsRegular() {
		if root, readOnly := system(file, info); !safe(info.Mode().Perm(), root, readOnly) {
			return nil, fmt.Errorf("others can read %s (mode %04o): run chmod 600 on it, and replace the secret if another user may have read it", name, info.Mode().Perm())
		}
	}
	text, err := io.ReadAll(io.LimitReader(file, int64(max)+1))
	switch {
	case err != nil:
		return nil, err
	case len(text) > max:
		return nil, errors.New(name + " is too large")
	}
	return text, nil
}

// safe reports whether a file may hold a secret: root is whether it belongs to root, readOnly whether its mount is read-only.
func safe(mode fs.FileMode, root, readOnly bool) bool {
	return readOnly || mode&others == 0 || root && mode&^rootOnly == 0
}
