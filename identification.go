package globusauth

import (
	"fmt"
	"runtime/debug"
	"strings"
	"sync"
)

const modulePath = "github.com/globusauth/globusauth"

// Version returns the version of this module from the build information, or
// "devel".
func Version() string { return moduleVersion() }

var moduleVersion = sync.OnceValue(func() string { //nolint:gochecknoglobals // computed once, never changed
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "devel"
	}
	version := info.Main.Version
	if info.Main.Path != modulePath {
		version = ""
		for _, dep := range info.Deps {
			if dep.Path == modulePath {
				version = dep.Version
			}
		}
	}
	if version == "" || version == "(devel)" {
		return "devel"
	}
	return strings.TrimPrefix(version, "v")
})

// identify returns the headers User-Agent and X-Globus-Client-Info.
func identify(appName, appVersion string) (userAgent, clientInfo string, err error) {
	for field, value := range map[string]string{"AppName": appName, "AppVersion": appVersion} {
		if err := checkProductWord(value); err != nil {
			return "", "", fmt.Errorf("globusauth: Config.%s: %w", field, err)
		}
	}
	userAgent, clientInfo = "globusauth-go/"+Version(), "product=globusauth-go,version="+Version()
	switch {
	case appName == "" && appVersion == "":
	case appName == "":
		return "", "", fmt.Errorf("globusauth: Config.AppVersion %q without AppName", appVersion)
	case appVersion == "":
		userAgent, clientInfo = userAgent+" ("+appName+")", clientInfo+";product="+appName
	default:
		userAgent, clientInfo = userAgent+" ("+appName+" "+appVersion+")", clientInfo+";product="+appName+",version="+appVersion
	}
	return userAgent, clientInfo, nil
}

// checkProductWord refuses separators of the two headers.
func checkProductWord(word string) error {
	if len(word) > maxAppNameLength {
		return fmt.Errorf("longer than %d characters", maxAppNameLength)
	}
	for _, r := range word {
		if r < ' ' || r > '~' || strings.ContainsRune(`;,=()\`, r) {
			return fmt.Errorf("the character %q is not allowed in request headers; use printable ASCII without ; , = ( ) and \\", r)
		}
	}
	return nil
}
