package sqlitefile

import (
	"os"

	"github.com/ncruces/go-sqlite3/vfs"
)

// private is the name of [privateVFS].
const private = "globusauth-private"

func init() { vfs.Register(private, privateVFS{vfs.Find("").(vfs.VFSFilename)}) }

// privateVFS is the VFS of the system with two properties of the one in C. A journal,
// which holds tokens, is never readable by others, whatever the umask. A
// database that cannot be written is opened for reading.
type privateVFS struct{ vfs.VFSFilename }

func (p privateVFS) OpenFilename(name *vfs.Filename, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	if name != nil && flags&vfs.OPEN_CREATE != 0 {
		if file, err := os.OpenFile(name.String(), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600); err == nil {
			_ = file.Close()
		} // else it exists, or opening it fails too
	}
	file, out, err := p.VFSFilename.OpenFilename(name, flags)
	if err != nil && flags&vfs.OPEN_MAIN_DB != 0 {
		return p.VFSFilename.OpenFilename(name, flags&^vfs.OPEN_READWRITE|vfs.OPEN_READONLY)
	}
	return file, out, err
}
