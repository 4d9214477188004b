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
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, module := range append(info.Deps, &info.Main) {
			if module.Path == modulePath && module.Version != "" && module.Version != "(devel)" {
				return strings.TrimPrefix(module.Version, "v")
			}
		}
	}
	return "devel"
})

// identify returns the headers User-Agent and X-Globus-Client-Info.
func identify(appName, appVersion string) (userAgent, clientInfo string, err error) {
	userAgent, clientInfo = "globusauth-go/"+Version(), "product=globusauth-go,version="+Version()
	separator := func(r rune) bool { return r < ' ' || r > '~' || strings.ContainsRune(`;,=()\`, r) }
	switch {
	case appName == "" && appVersion == "":
		return userAgent, clientInfo, nil
	case appName == "":
		return "", "", fmt.Errorf("globusauth: Config.AppVersion %q without AppName", appVersion)
	case len(appName+appVersion) > maxAppNameLength, strings.ContainsFunc(appName+appVersion, separator):
		return "", "", fmt.Errorf("globusauth: Config.AppName or AppVersion is not allowed in request headers: "+
			"use at most %d characters of printable ASCII without ; , = ( ) and \\", maxAppNameLength)
	}
	userAgent, clientInfo = userAgent+" ("+appName, clientInfo+";product="+appName
	if appVersion != "" {
		userAgent, clientInfo = userAgent+" "+appVersion, clientInfo+",version="+appVersion
	}
	return userAgent + ")", clientInfo, nil
}
