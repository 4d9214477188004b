package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/mod/module"
	modzip "golang.org/x/mod/zip"
)

// writeProxy writes what the module proxy will have of a tagged commit.
func writeProxy(ctx context.Context, root, proxy, version string) error {
	released, _, err := modules(ctx, root)
	if err != nil {
		return err
	}
	for _, dir := range released {
		if err := writeModule(root, proxy, dir, version); err != nil {
			return err
		}
	}
	return nil
}

func writeModule(root, proxy, dir, version string) error {
	m := module.Version{Path: filepath.ToSlash(filepath.Join(modulePath, dir)), Version: version}
	escaped, err := module.EscapePath(m.Path)
	if err != nil {
		return err
	}
	base := filepath.Join(proxy, escaped, "@v", version)
	if err := os.MkdirAll(filepath.Dir(base), 0o755); err != nil {
		return err
	}
	mod, err := os.ReadFile(filepath.Join(root, dir, "go.mod"))
	if err != nil {
		return err
	}
	subdir := dir
	if subdir == "." {
		subdir = ""
	}
	packed, err := os.Create(base + ".zip")
	if err != nil {
		return err
	}
	return errors.Join(
		modzip.CreateFromVCS(packed, m, root, "HEAD", subdir),
		packed.Close(),
		os.WriteFile(base+".mod", mod, 0o644),
		os.WriteFile(base+".info", fmt.Appendf(nil, `{"Version":%q}`, version), 0o644),
		os.WriteFile(filepath.Join(filepath.Dir(base), "list"), []byte(version+"\n"), 0o644),
	)
}

const consumer = `package main

import (
	_ "github.com/globusauth/globusauth/app"
	_ "github.com/globusauth/globusauth/tokens/pgstore"
	_ "github.com/globusauth/globusauth/tokens/redisstore"
)

func main() {}
`

// consume installs the released modules as users do, outside this repository, from
// the proxy and from what this machine has downloaded. It returns the version of the
// installed command.
func consume(ctx context.Context, proxy, work, version string) (string, error) {
	cache, err := output(ctx, "", nil, "go", "env", "GOMODCACHE")
	if err != nil {
		return "", err
	}
	public, err := output(ctx, "", nil, "go", "env", "GOPROXY")
	if err != nil {
		return "", err
	}
	dir, bin := filepath.Join(work, "consumer"), filepath.Join(work, "bin")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(consumer), 0o644); err != nil {
		return "", err
	}
	env := []string{
		"GOPROXY=file://" + filepath.ToSlash(proxy) + ",file://" + filepath.ToSlash(filepath.Join(cache, "cache", "download")) + "," + public,
		"GOMODCACHE=" + filepath.Join(work, "modules"), "GOBIN=" + bin, "GOSUMDB=off", "GOWORK=off", "CGO_ENABLED=0",
		"GOFLAGS=-trimpath -modcacherw", // the cache of the build above
	}
	for _, args := range [][]string{
		{"mod", "init", "example.org/consumer"},
		{"get", modulePath + "/tokens/pgstore@" + version, modulePath + "/tokens/redisstore@" + version, modulePath + "/terraform@" + version},
		{"mod", "tidy"},
		{"build", "-o", os.DevNull, "."},
		{"install", modulePath + "/cmd/globus-auth@" + version},
	} {
		if err := command(ctx, dir, env, nil, "go", args...); err != nil {
			return "", err
		}
	}
	return output(ctx, dir, nil, filepath.Join(bin, "globus-auth"), "version", "--format", "json")
}
