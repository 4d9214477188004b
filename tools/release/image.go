package main

import (
	"bytes"
	"encoding/pem"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// writeImage writes one image for all binaries as an OCI archive, which podman load,
// docker load and skopeo copy read.
func writeImage(dir string, binaries []binary) error {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, b := range binaries {
		image, err := b.image()
		if err != nil {
			return err
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add: image, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: b.os, Architecture: b.arch}},
		})
	}
	folder, err := os.MkdirTemp("", "release-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	path, err := layout.Write(folder, empty.Index)
	if err != nil {
		return err
	}
	first := binaries[0]
	version := strings.TrimPrefix(first.version, "v")
	if err := path.AppendIndex(index, layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": version})); err != nil {
		return err
	}
	content := files{}
	err = fs.WalkDir(os.DirFS(folder), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(filepath.Join(folder, name))
		content[name] = file(data, 0o644, first.when)
		return err
	})
	if err != nil {
		return err
	}
	var archive bytes.Buffer
	return errors.Join(tarred(&archive, content), os.WriteFile(filepath.Join(dir, first.name+"_"+version+"_image.tar"), archive.Bytes(), 0o644))
}

// image has no base and one layer: the binary, the root certificates of Mozilla, and a
// folder for temporary files. It runs as a user without rights.
func (b binary) image() (v1.Image, error) {
	var packed bytes.Buffer
	err := tarred(&packed, files{
		"etc/ssl/certs/ca-certificates.crt": file(certificates(), 0o644, b.when),
		"tmp":                               file(nil, fs.ModeDir|fs.ModeSticky|0o777, b.when),
		b.name:                              file(b.data, 0o755, b.when),
	})
	if err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(packed.Bytes())), nil },
		tarball.WithMediaType(types.OCILayer))
	if err != nil {
		return nil, err
	}
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	image, err = mutate.Append(image, mutate.Addendum{Layer: layer, History: v1.History{Created: v1.Time{Time: b.when}, CreatedBy: "go build -trimpath"}})
	if err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Created = b.os, b.arch, v1.Time{Time: b.when}
	config.Config = v1.Config{
		Entrypoint: []string{"/" + b.name}, User: "65532:65532", WorkingDir: "/tmp", Env: []string{"HOME=/tmp"},
		Labels: map[string]string{
			"org.opencontainers.image.source":   "https://" + modulePath,
			"org.opencontainers.image.version":  strings.TrimPrefix(b.version, "v"),
			"org.opencontainers.image.licenses": "Apache-2.0",
		},
	}
	return mutate.ConfigFile(image, config)
}

// certificates omits those that are trusted with constraints, which a file cannot express.
func certificates() []byte {
	var bytes []byte
	for root := range bundle.Roots() {
		if root.Constraint == nil {
			bytes = append(bytes, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate})...)
		}
	}
	return bytes
}
