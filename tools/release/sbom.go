package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"time"

	"github.com/CycloneDX/cyclonedx-go"
)

// sbom lists what is in the binary, in the format of CycloneDX.
func (b binary) sbom(components []component, when time.Time) ([]byte, error) {
	list := cyclonedx.NewBOM()
	list.Metadata = &cyclonedx.Metadata{
		Timestamp: when.Format(time.RFC3339), // of the commit: the same for every build
		Component: &cyclonedx.Component{
			BOMRef: b.name, Type: cyclonedx.ComponentTypeApplication, Name: b.name, Version: b.version,
			PackageURL: packageURL(modulePath, b.version), Licenses: licenses([]string{"Apache-2.0"}),
		},
	}
	var found []cyclonedx.Component
	var names []string
	for _, c := range components {
		reference := packageURL(c.path, c.version)
		entry := cyclonedx.Component{
			BOMRef: reference, PackageURL: reference, Type: cyclonedx.ComponentTypeLibrary,
			Name: c.path, Version: c.version, Licenses: licenses(c.licenses),
		}
		if sum, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(c.sum, "h1:")); err == nil && len(sum) > 0 {
			entry.Hashes = &[]cyclonedx.Hash{{Algorithm: cyclonedx.HashAlgoSHA256, Value: hex.EncodeToString(sum)}}
		}
		found, names = append(found, entry), append(names, reference)
	}
	list.Components, list.Dependencies = &found, &[]cyclonedx.Dependency{{Ref: b.name, Dependencies: &names}}
	var text bytes.Buffer
	err := cyclonedx.NewBOMEncoder(&text, cyclonedx.BOMFileFormatJSON).SetPretty(true).Encode(list)
	return text.Bytes(), err
}

func packageURL(module, version string) string { return "pkg:golang/" + module + "@" + version }

func licenses(ids []string) *cyclonedx.Licenses {
	var list cyclonedx.Licenses
	for _, id := range ids {
		list = append(list, cyclonedx.LicenseChoice{License: &cyclonedx.License{ID: id}})
	}
	return &list
}
