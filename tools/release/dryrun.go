package main

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// rehearsed is a version that no release has.
const rehearsed = "v0.0.0-dryrun"

// rehearsal is a release of a clone.
type rehearsal struct {
	work, root string // the temporary folder, and the clone in it
	dist       string
}

// dryrun releases the last commit in a clone, for one platform, and checks what came out.
func dryrun(ctx context.Context, root string) error {
	work, err := os.MkdirTemp("", "release-dryrun-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	r := rehearsal{work: work, root: filepath.Join(work, "clone"), dist: filepath.Join(work, "dist")}
	if _, err := output(ctx, "", nil, "git", "clone", "-q", "--no-tags", root, r.root); err != nil {
		return err
	}
	for _, check := range []struct {
		name string
		run  func(context.Context) error
	}{
		{"without a tag, nothing is compared", r.firstReport},
		{"modules require the released version", r.tag},
		{"files are built", r.build},
		{"another build gives the same bytes", r.rebuild},
		{"the command knows its version", r.version},
		{"the image runs without an engine", r.image},
		{"released modules install elsewhere", r.install},
		{"reports name what breaks users", r.laterReport},
	} {
		start := time.Now()
		if err := check.run(ctx); err != nil {
			return fmt.Errorf("%s: failed: %w", check.name, err)
		}
		fmt.Printf("%-40s %4.0fs\n", check.name, time.Since(start).Seconds())
	}
	return nil
}

func (r rehearsal) firstReport(ctx context.Context) error {
	var report bytes.Buffer
	if err := diff(ctx, r.root, &report); err != nil {
		return err
	}
	if !strings.Contains(report.String(), "no earlier tag") {
		return fmt.Errorf("the report is %q", report.String())
	}
	return nil
}

func (r rehearsal) commit(ctx context.Context) error {
	return command(ctx, r.root, nil, nil, "git", "-c", "user.name=release", "-c", "user.email=release@example.org", "-c", "commit.gpgsign=false",
		"commit", "-q", "-a", "-m", "dry run")
}

func (r rehearsal) tag(ctx context.Context) error {
	if _, err := tags(ctx, r.root, rehearsed); err == nil {
		return errors.New("tags were printed although nothing is ready for this version")
	}
	if err := pin(ctx, r.root, rehearsed); err != nil {
		return err
	}
	if err := r.edit("CHANGELOG.md", "\n## ", "\n"+heading(rehearsed)+"\n\n## "); err != nil {
		return err
	}
	if err := r.commit(ctx); err != nil {
		return err
	}
	names, err := tags(ctx, r.root, rehearsed)
	for _, name := range names {
		err = errors.Join(err, command(ctx, r.root, nil, nil, "git", "tag", name))
	}
	return err
}

// edit replaces the first old in a file of the clone.
func (r rehearsal) edit(name, old, text string) error {
	name = filepath.Join(r.root, name)
	data, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	changed := strings.Replace(string(data), old, text, 1)
	if changed == string(data) {
		return fmt.Errorf("%s has no %q", name, old)
	}
	return os.WriteFile(name, []byte(changed), 0o644)
}

func target() string { return "linux/" + runtime.GOARCH }

func (r rehearsal) build(ctx context.Context) error {
	if err := build(ctx, r.root, r.dist, programs(), []string{target()}, nil); err != nil {
		return err
	}
	for _, name := range []string{r.base("globus-auth") + ".tar.gz", r.base("terraform-provider-globusauth") + ".zip"} {
		if _, err := os.Stat(name); err != nil {
			return err
		}
	}
	return command(ctx, r.dist, nil, nil, "sha256sum", "--check", "--strict", "SHA256SUMS")
}

func (r rehearsal) base(program string) string {
	return filepath.Join(r.dist, program+"_"+strings.TrimPrefix(rehearsed, "v")+"_linux_"+runtime.GOARCH)
}

// rebuild builds the command in another folder and with an empty cache.
func (r rehearsal) rebuild(ctx context.Context) error {
	second, dist := filepath.Join(r.work, "elsewhere", "clone"), filepath.Join(r.work, "elsewhere", "dist")
	if err := command(ctx, "", nil, nil, "git", "clone", "-q", r.root, second); err != nil {
		return err
	}
	if err := build(ctx, second, dist, programs()[:1], []string{target()}, []string{"GOCACHE=" + filepath.Join(r.work, "cache")}); err != nil {
		return err
	}
	entries, err := os.ReadDir(dist)
	if err != nil {
		return err
	}
	compared := 0
	for _, entry := range entries {
		if entry.Name() == "SHA256SUMS" { // of fewer files
			continue
		}
		one, err := os.ReadFile(filepath.Join(r.dist, entry.Name()))
		if err != nil {
			return err
		}
		two, err := os.ReadFile(filepath.Join(dist, entry.Name()))
		if err != nil {
			return err
		}
		if !bytes.Equal(one, two) {
			return fmt.Errorf("%s differs from that of the first build", entry.Name())
		}
		compared++
	}
	if compared != 3 {
		return fmt.Errorf("%d files are the same, not 3: archive, SBOM and image", compared)
	}
	return nil
}

// version runs the command of the archive.
func (r rehearsal) version(ctx context.Context) error {
	dir, err := os.MkdirTemp(r.work, "archive-")
	if err != nil {
		return err
	}
	if err := command(ctx, dir, nil, nil, "tar", "-xzf", r.base("globus-auth")+".tar.gz"); err != nil {
		return err
	}
	commit, err := output(ctx, r.root, nil, "git", "rev-parse", "HEAD")
	if err != nil {
		return err
	}
	text, err := output(ctx, dir, nil, "./globus-auth", "version", "--format", "json")
	if err != nil {
		return err
	}
	return checkVersion(text, commit)
}

func checkVersion(text, commit string) error {
	var got struct {
		Version, Commit string
		Modified        bool
	}
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		return err
	}
	if "v"+got.Version != rehearsed || got.Commit != commit || got.Modified {
		return fmt.Errorf("the version is %s, not %s of commit %q", text, rehearsed, commit)
	}
	return nil
}

// image checks all digests of the image, and runs the command in its files, as the
// user of the image.
func (r rehearsal) image(ctx context.Context) error {
	dir, err := os.MkdirTemp(r.work, "image-")
	if err != nil {
		return err
	}
	archive := filepath.Join(r.dist, "globus-auth_"+strings.TrimPrefix(rehearsed, "v")+"_image.tar")
	if err := command(ctx, dir, nil, nil, "tar", "-xf", archive); err != nil {
		return err
	}
	outer, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		return err
	}
	manifest, err := outer.IndexManifest()
	if err != nil {
		return err
	}
	index, err := outer.ImageIndex(manifest.Manifests[0].Digest)
	if err != nil {
		return err
	}
	if err := validate.Index(index); err != nil {
		return err
	}
	manifest, err = index.IndexManifest()
	if err != nil {
		return err
	}
	image, err := index.Image(manifest.Manifests[0].Digest)
	if err != nil {
		return err
	}
	return r.runImage(ctx, image)
}

func (r rehearsal) runImage(ctx context.Context, image v1.Image) error {
	files, err := os.MkdirTemp(r.work, "root-")
	if err != nil {
		return err
	}
	if err := os.Chmod(files, 0o755); err != nil {
		return err
	}
	packed, err := os.Create(files + ".tar")
	if err != nil {
		return err
	}
	content := mutate.Extract(image)
	_, err = packed.ReadFrom(content)
	if err := errors.Join(err, content.Close(), packed.Close()); err != nil {
		return err
	}
	if err := command(ctx, files, nil, nil, "tar", "-xpf", packed.Name()); err != nil {
		return err
	}
	certificates, err := os.ReadFile(filepath.Join(files, "etc", "ssl", "certs", "ca-certificates.crt"))
	if err != nil {
		return err
	}
	if count := bytes.Count(certificates, []byte("-----BEGIN CERTIFICATE-----")); count < 80 {
		return fmt.Errorf("the image has %d root certificates", count)
	}
	if block, _ := pem.Decode(certificates); block == nil {
		return errors.New("the root certificates of the image are not PEM")
	}
	config, err := image.ConfigFile()
	if err != nil {
		return err
	}
	chroot, err := exec.LookPath("chroot")
	if err != nil {
		return err
	}
	args := append([]string{"-i"}, config.Config.Env...)
	args = append(args, chroot, "--userspec="+config.Config.User, files)
	args = append(args, config.Config.Entrypoint...)
	text, err := output(ctx, "", nil, "env", append(args, "version", "--format", "json")...)
	if err != nil {
		return err
	}
	commit, err := output(ctx, r.root, nil, "git", "rev-parse", "HEAD")
	if err != nil {
		return err
	}
	if err := checkVersion(text, commit); err != nil {
		return err
	}
	return command(ctx, "", nil, nil, "env", append(args, "quickstart")...) // the emulator and logins
}

func (r rehearsal) install(ctx context.Context) error {
	proxy := filepath.Join(r.work, "proxy")
	if err := writeProxy(ctx, r.root, proxy, rehearsed); err != nil {
		return err
	}
	text, err := consume(ctx, proxy, r.work, rehearsed)
	if err != nil {
		return err
	}
	return checkVersion(text, "")
}

// laterReport removes an operation from the spec and a package from the API.
func (r rehearsal) laterReport(ctx context.Context) error {
	if err := r.edit("spec/auth.openapi.yaml", "\n  /v2/oauth2/token/revoke:", "\n  /v2/oauth2/token/removed:"); err != nil {
		return err
	}
	if err := os.RemoveAll(filepath.Join(r.root, "resourceserver", "otelauth")); err != nil {
		return err
	}
	if err := r.commit(ctx); err != nil {
		return err
	}
	var report bytes.Buffer
	if err := diff(ctx, r.root, &report); err != nil {
		return err
	}
	for _, want := range []string{"since " + rehearsed, "resourceserver/otelauth: removed", "/v2/oauth2/token/revoke", "error"} {
		if !strings.Contains(report.String(), want) {
			return fmt.Errorf("no %q in the report:\n%s", want, report.String())
		}
	}
	return nil
}
