package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"debug/buildinfo"
	"errors"
	"fmt"
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

func platforms() []string {
	return []string{"linux/amd64", "linux/arm64", "darwin/amd64", "darwin/arm64", "windows/amd64"}
}

// build writes the files of a release of the checked out commit into dir. The same
// commit and the same Go version give the same bytes.
func build(ctx context.Context, root, dir string, programs []program, targets []string) error {
	committed, err := output(ctx, root, nil, "git", "log", "-1", "--format=%cI")
	if err != nil {
		return err
	}
	when, err := time.Parse(time.RFC3339, committed)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, program := range programs {
		var images []binary
		for _, target := range targets {
			built, err := compile(ctx, root, program, target)
			if err != nil {
				return err
			}
			built.when = when.UTC()
			if err := built.publish(ctx, root, dir); err != nil {
				return err
			}
			if program.image && built.os == "linux" {
				images = append(images, built)
			}
		}
		if len(images) > 0 {
			if err := writeImage(dir, images); err != nil {
				return err
			}
		}
	}
	return checksums(dir)
}

// binary is a compiled program.
type binary struct {
	program
	os, arch string
	version  string // from its build information
	golang   string // the version of Go that compiled it
	when     time.Time
	data     []byte
	deps     []*debug.Module
}

// compile builds a program as users can: with the go command alone.
func compile(ctx context.Context, root string, p program, target string) (binary, error) {
	folder, err := os.MkdirTemp("", "release-")
	if err != nil {
		return binary{}, err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	name := filepath.Join(folder, p.name)
	built := binary{program: p}
	built.os, built.arch, _ = strings.Cut(target, "/")
	env := []string{"CGO_ENABLED=0", "GOOS=" + built.os, "GOARCH=" + built.arch, "GOFLAGS=", "GOWORK=off"}
	// Without DWARF, which only debuggers read, an archive has half the size.
	if _, err := output(ctx, filepath.Join(root, p.module), env, "go", "build", "-trimpath", "-ldflags=-w", "-buildvcs=true", "-o", name, p.pkg); err != nil {
		return binary{}, err
	}
	info, err := buildinfo.ReadFile(name)
	if err != nil {
		return binary{}, err
	}
	built.version, built.deps, built.golang = info.Main.Version, info.Deps, info.GoVersion
	if !semver.IsValid(built.version) || semver.Build(built.version) != "" {
		return binary{}, fmt.Errorf("the version of %s is %q: the tree must be a clean checkout of a commit", p.name, built.version)
	}
	built.data, err = os.ReadFile(name)
	return built, err
}

// publish writes the archive of a binary and its SBOM.
func (b binary) publish(ctx context.Context, root, dir string) error {
	components, texts, err := b.contents(ctx, root)
	if err != nil {
		return err
	}
	license, err := os.ReadFile(filepath.Join(root, "LICENSE"))
	if err != nil {
		return err
	}
	executable, pack, suffix := b.name, gzipped, ".tar.gz"
	if b.zipped {
		executable += "_" + b.version // as Terraform and OpenTofu look for it
	}
	if b.os == "windows" {
		executable += ".exe"
	}
	if b.zipped || b.os == "windows" {
		pack, suffix = zipped, ".zip"
	}
	var sbom, archive bytes.Buffer
	err = errors.Join(b.writeSBOM(&sbom, components), pack(&archive, files{
		executable:                     file(b.data, 0o755, b.when),
		"LICENSE":                      file(license, 0o644, b.when),
		"LICENSES-OF-DEPENDENCIES.txt": file(texts, 0o644, b.when),
	}))
	if err != nil {
		return err
	}
	base := filepath.Join(dir, fmt.Sprintf("%s_%s_%s_%s", b.name, strings.TrimPrefix(b.version, "v"), b.os, b.arch))
	return errors.Join(os.WriteFile(base+".cdx.json", sbom.Bytes(), 0o644), os.WriteFile(base+suffix, archive.Bytes(), 0o644))
}

// checksums writes SHA256SUMS, in the form that sha256sum -c reads.
func checksums(dir string) error {
	names, err := filepath.Glob(filepath.Join(dir, "*_*"))
	var sums bytes.Buffer
	for _, name := range names {
		data, failed := os.ReadFile(name)
		err = errors.Join(err, failed)
		_, _ = fmt.Fprintf(&sums, "%x  %s\n", sha256.Sum256(data), filepath.Base(name))
	}
	return errors.Join(err, os.WriteFile(filepath.Join(dir, "SHA256SUMS"), sums.Bytes(), 0o644))
}
