package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"debug/buildinfo"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"golang.org/x/mod/semver"
)

// program is a command of the release.
type program struct {
	name   string
	module string // its folder
	pkg    string // in the module
	image  bool
	zipped bool // also where tar is usual: Terraform installs providers from zip files
}

func programs() []program {
	return []program{
		{name: "globus-auth", module: ".", pkg: "./cmd/globus-auth", image: true},
		{name: "terraform-provider-globusauth", module: "terraform", pkg: ".", zipped: true},
	}
}

func targets() []string {
	return []string{"linux/amd64", "linux/arm64", "darwin/amd64", "darwin/arm64", "windows/amd64"}
}

// build writes the files of a release of the checked out commit into dir. The same
// commit and the same Go version give the same bytes.
func build(ctx context.Context, root, dir string, programs []program, targets, env []string) error {
	when, err := commitTime(ctx, root)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, program := range programs {
		var images []binary
		for _, target := range targets {
			built, err := compile(ctx, root, program, target, env)
			if err != nil {
				return err
			}
			if err := built.publish(ctx, root, dir, when); err != nil {
				return err
			}
			if program.image && built.os == "linux" {
				images = append(images, built)
			}
		}
		if len(images) > 0 {
			if err := writeImage(dir, images, when); err != nil {
				return err
			}
		}
	}
	return checksums(dir)
}

func commitTime(ctx context.Context, root string) (time.Time, error) {
	text, err := output(ctx, root, nil, "git", "log", "-1", "--format=%cI")
	if err != nil {
		return time.Time{}, err
	}
	when, err := time.Parse(time.RFC3339, text)
	return when.UTC(), err
}

// binary is a compiled program.
type binary struct {
	program
	os, arch string
	version  string // from its build information
	golang   string // the version of Go that compiled it
	data     []byte
	deps     []*debug.Module
}

// compile builds a program as users can: with the go command alone.
func compile(ctx context.Context, root string, p program, target string, env []string) (binary, error) {
	goos, arch, _ := strings.Cut(target, "/")
	folder, err := os.MkdirTemp("", "release-")
	if err != nil {
		return binary{}, err
	}
	defer os.RemoveAll(folder)
	name := filepath.Join(folder, p.name)
	env = append([]string{"CGO_ENABLED=0", "GOOS=" + goos, "GOARCH=" + arch, "GOFLAGS=", "GOWORK=off"}, env...)
	err = command(ctx, filepath.Join(root, p.module), env, io.Discard, "go", "build", "-trimpath", "-buildvcs=true", "-o", name, p.pkg)
	if err != nil {
		return binary{}, err
	}
	built := binary{program: p, os: goos, arch: arch}
	info, err := buildinfo.ReadFile(name)
	if err != nil {
		return binary{}, err
	}
	built.version = info.Main.Version
	if !semver.IsValid(built.version) || semver.Build(built.version) != "" {
		return binary{}, fmt.Errorf("the version of %s is %q: the tree must be a clean checkout of a commit", p.name, built.version)
	}
	built.deps, built.golang = info.Deps, info.GoVersion
	built.data, err = os.ReadFile(name)
	return built, err
}

// publish writes the archive of a binary and its SBOM.
func (b binary) publish(ctx context.Context, root, dir string, when time.Time) error {
	base := fmt.Sprintf("%s_%s_%s_%s", b.name, strings.TrimPrefix(b.version, "v"), b.os, b.arch)
	components, err := b.components(ctx, root)
	if err != nil {
		return err
	}
	sbom, err := b.sbom(components, when)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, base+".cdx.json"), sbom, 0o644); err != nil {
		return err
	}
	var texts []byte
	for _, c := range components {
		texts = append(texts, c.texts...)
	}
	license, err := os.ReadFile(filepath.Join(root, "LICENSE"))
	if err != nil {
		return err
	}
	executable := b.name
	if b.zipped {
		executable += "_" + b.version // as Terraform and OpenTofu look for it
	}
	if b.os == "windows" {
		executable += ".exe"
	}
	files := []file{{executable, 0o755, b.data}, {"LICENSE", 0o644, license}, {"LICENSES-OF-DEPENDENCIES.txt", 0o644, texts}}
	if b.zipped || b.os == "windows" {
		archive, err := zipped(files, when)
		return errors.Join(err, os.WriteFile(filepath.Join(dir, base+".zip"), archive, 0o644))
	}
	archive, err := gzipped(files, when)
	return errors.Join(err, os.WriteFile(filepath.Join(dir, base+".tar.gz"), archive, 0o644))
}

// checksums writes SHA256SUMS, in the form that sha256sum -c reads.
func checksums(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var sums bytes.Buffer
	for _, entry := range entries {
		if entry.Name() == "SHA256SUMS" {
			continue
		}
		data, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil {
			return err
		}
		fmt.Fprintf(&sums, "%x  %s\n", sha256.Sum256(data), entry.Name())
	}
	return os.WriteFile(filepath.Join(dir, "SHA256SUMS"), sums.Bytes(), 0o644)
}
