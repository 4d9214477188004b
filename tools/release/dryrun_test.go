package main

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// rehearsed is a version that no release has.
const rehearsed = "v0.0.0-dryrun"

func target() string { return "linux/" + runtime.GOARCH }

// rehearsal is a release of the last commit, in clones of a temporary repository.
type rehearsal struct {
	*testing.T
	work, clone string
}

// sh runs a script with bash in the clone.
func (r rehearsal) sh(script string) string {
	r.Helper()
	cmd := exec.CommandContext(r.Context(), "bash", "-euo", "pipefail", "-c", script)
	cmd.Dir = r.clone
	cmd.Env = append(os.Environ(), "WORK="+r.work, "PATH="+filepath.Join(r.work, "bin")+":"+os.Getenv("PATH"),
		"GIT_AUTHOR_NAME=release", "GIT_AUTHOR_EMAIL=release@example.org", "GIT_COMMITTER_NAME=release", "GIT_COMMITTER_EMAIL=release@example.org")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		r.Fatalf("%s: %v\n%s%s", script, err, out, stderr.Bytes())
	}
	return strings.TrimSpace(string(out))
}

// TestRelease_DryRun follows docs/releasing.md, for one platform, and checks what comes out.
func TestRelease_DryRun(t *testing.T) { //nolint:paralleltest // the steps follow one another, and one changes the environment
	if testing.Short() {
		t.Skip("a release takes minutes")
	}
	work := t.TempDir()
	r := rehearsal{t, work, filepath.Join(work, "clone")}
	for _, step := range []struct {
		name string
		run  func(rehearsal)
	}{
		{"prepare", rehearsal.prepare},
		{"document", rehearsal.document},
		{"rebuild", rehearsal.rebuild},
		{"version", rehearsal.version},
		{"image", rehearsal.image},
		{"install", rehearsal.install},
		{"report", rehearsal.report},
	} {
		if !t.Run(step.name, func(t *testing.T) { step.run(rehearsal{t, r.work, r.clone}) }) {
			return
		}
	}
}

// prepare does the second step of the document. Signatures are made by a program that signs nothing.
func (r rehearsal) prepare() {
	if err := os.Mkdir(r.clone, 0o750); err != nil {
		r.Fatal(err)
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		r.Fatal(err)
	}
	r.sh(`git clone -q --no-tags ` + root + ` .
git checkout -q -B main
git clone -q --bare . "$WORK/origin"
git remote set-url origin "$WORK/origin"
mkdir "$WORK/bin"
go -C tools/release build -o "$WORK/bin/release"
printf '#!/bin/sh\ncat >/dev/null\nprintf "\\n[GNUPG:] SIG_CREATED D\\n" >&2\necho "-----BEGIN PGP SIGNATURE-----"\n' >"$WORK/bin/sign"
chmod +x "$WORK/bin/sign"
git config gpg.program "$WORK/bin/sign"
git config commit.gpgSign false
release diff | grep -F 'no earlier tag'
! release tags ` + rehearsed + `
release pin ` + rehearsed + `
! release tags ` + rehearsed + `
sed -i '0,/^## Unreleased/s//&\n\n## ` + rehearsed[1:] + ` - 2026-01-01/' CHANGELOG.md
git commit -qam 'dry run'`)
}

// command is one in a block of the document.
var command = regexp.MustCompile(`(?m)^ *\$ (.+)$`)

// document runs every command of docs/releasing.md.
func (r rehearsal) document() {
	text, err := os.ReadFile("../../docs/releasing.md")
	if err != nil {
		r.Fatal(err)
	}
	found := command.FindAllStringSubmatch(string(text), -1)
	if len(found) < 5 {
		r.Fatalf("the document has %d commands", len(found))
	}
	replace := strings.NewReplacer("vX.Y.Z", rehearsed, "linux/amd64", target())
	for _, match := range found {
		r.sh(replace.Replace(match[1]))
	}
	r.sh(`diff <(git ls-remote --tags origin | grep -o 'refs/tags/[^^]*$' | sort) <(release tags ` + rehearsed + ` | sed 's|^|refs/tags/|' | sort)
cd dist
sha256sum --check --strict SHA256SUMS
ls ` + r.base("globus-auth") + `.{tar.gz,cdx.json} ` + r.base("terraform-provider-globusauth") + `.{zip,cdx.json}`)
}

func (r rehearsal) base(program string) string {
	return program + "_" + rehearsed[1:] + "_linux_" + runtime.GOARCH
}

// rebuild builds the command in another folder and with an empty cache: every byte is the same.
func (r rehearsal) rebuild() {
	r.Setenv("GOCACHE", filepath.Join(r.work, "cache"))
	r.sh(`git clone -q "$WORK/origin" "$WORK/elsewhere/clone"; git -C "$WORK/elsewhere/clone" checkout -q ` + rehearsed)
	dist := filepath.Join(r.work, "elsewhere", "dist")
	if err := build(r.Context(), filepath.Join(r.work, "elsewhere", "clone"), dist, programs()[:1], []string{target()}); err != nil {
		r.Fatal(err)
	}
	same := r.sh(`rm "$WORK/elsewhere/dist/SHA256SUMS"
for file in "$WORK"/elsewhere/dist/*; do cmp "$file" "dist/${file##*/}"; echo "${file##*/}"; done`)
	if len(strings.Fields(same)) != 3 {
		r.Errorf("the same files are %s: want archive, SBOM and image", same)
	}
}

// version runs the command of the archive.
func (r rehearsal) version() {
	r.checkVersion(r.sh(`mkdir "$WORK/archive"; tar -xzf dist/`+r.base("globus-auth")+`.tar.gz -C "$WORK/archive"; "$WORK/archive/globus-auth" version --format json`),
		r.sh("git rev-parse HEAD"))
}

func (r rehearsal) checkVersion(text, commit string) {
	r.Helper()
	var got struct {
		Version, Commit string
		Modified        bool
	}
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		r.Fatal(err)
	}
	if "v"+got.Version != rehearsed || got.Commit != commit || got.Modified {
		r.Errorf("the version is %s, not %s of commit %q", text, rehearsed, commit)
	}
}

// image checks all digests of the image, and runs the command in its files, as the user of the image.
func (r rehearsal) image() {
	r.sh(`mkdir "$WORK/image" "$WORK/root"; chmod 755 "$WORK" "$WORK/.." "$WORK/root"; tar -xf dist/globus-auth_` + rehearsed[1:] + `_image.tar -C "$WORK/image"`)
	outer, err := layout.ImageIndexFromPath(filepath.Join(r.work, "image"))
	if err != nil {
		r.Fatal(err)
	}
	manifest, err := outer.IndexManifest()
	if err != nil {
		r.Fatal(err)
	}
	index, err := outer.ImageIndex(manifest.Manifests[0].Digest)
	if err != nil {
		r.Fatal(err)
	}
	if err := validate.Index(index); err != nil {
		r.Fatal(err)
	}
	if manifest, err = index.IndexManifest(); err != nil {
		r.Fatal(err)
	}
	image, err := index.Image(manifest.Manifests[0].Digest)
	if err != nil {
		r.Fatal(err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		r.Fatal(err)
	}
	content := mutate.Extract(image)
	unpack := exec.CommandContext(r.Context(), "tar", "-xp", "-C", filepath.Join(r.work, "root"))
	unpack.Stdin = content
	if out, err := unpack.CombinedOutput(); err != nil {
		r.Fatalf("%v\n%s", err, out)
	}
	certificates, err := os.ReadFile(filepath.Join(r.work, "root", "etc", "ssl", "certs", "ca-certificates.crt"))
	if err != nil {
		r.Fatal(err)
	}
	if block, _ := pem.Decode(certificates); block == nil || bytes.Count(certificates, []byte("-----BEGIN CERTIFICATE-----")) < 80 {
		r.Errorf("the image has no root certificates:\n%.200s", certificates)
	}
	run := "env -i " + strings.Join(config.Config.Env, " ") + ` "$(command -v chroot)" --userspec=` + config.Config.User + ` "$WORK/root" ` +
		strings.Join(config.Config.Entrypoint, " ")
	r.checkVersion(r.sh(run+" version --format json"), r.sh("git rev-parse HEAD"))
	r.sh(run + " quickstart") // the emulator and logins
}

// install imports the modules and installs the command outside the repository, from its tags.
func (r rehearsal) install() {
	r.checkVersion(r.sh(`mkdir "$WORK/consumer"; cd "$WORK/consumer"
cat >main.go <<'END'
package main

import (
	_ "`+modulePath+`/app"
	_ "`+modulePath+`/tokens/pgstore"
	_ "`+modulePath+`/tokens/redisstore"
)

func main() {}
END
GOPROXY="file://$(go env GOMODCACHE)/cache/download,$(go env GOPROXY)"
export GOPROXY GOPRIVATE=github.com/globusauth GOSUMDB=off GOMODCACHE="$WORK/modules" GOBIN="$WORK/bin" GOWORK=off CGO_ENABLED=0
export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0="url.file://$WORK/origin.insteadOf" GIT_CONFIG_VALUE_0=https://`+modulePath+`
export GOFLAGS='-trimpath -modcacherw' # the cache of the build above
go mod init example.org/consumer
go get `+modulePath+`/tokens/pgstore@`+rehearsed+` `+modulePath+`/tokens/redisstore@`+rehearsed+` `+modulePath+`/terraform@`+rehearsed+`
go mod tidy
go build -o /dev/null .
go install `+modulePath+`/cmd/globus-auth@`+rehearsed+`
"$WORK/bin/globus-auth" version --format json`), "")
}

// report removes an operation from the spec and a package from the API.
func (r rehearsal) report() {
	r.sh(`git rm -rq resourceserver/otelauth
sed -i 's|^  /v2/oauth2/token/revoke:|  /v2/oauth2/token/removed:|' spec/auth.openapi.yaml
git commit -qam removed
report=$(release diff)
for want in 'since ` + rehearsed + `' 'resourceserver/otelauth: removed' /v2/oauth2/token/revoke error; do grep -F -- "$want" <<<"$report"; done`)
}
