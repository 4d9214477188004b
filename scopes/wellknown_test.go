package scopes_test

import (
	"errors"
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"go/types"
	"slices"
	"strings"
	"testing"

	"github.com/globusauth/globusauth/scopes"
)

const someID = "11111111-2222-3333-4444-555555555555"

// constants returns the string constants that wellknown.go exports, by name: the
// scopes and the resource servers.
func constants(t *testing.T) (known []scopes.Scope, servers []string) {
	t.Helper()
	set := token.NewFileSet()
	stub, err := parser.ParseFile(set, "stub.go", "package scopes; type Scope string; type List []Scope", 0)
	if err != nil {
		t.Fatal(err)
	}
	file, err := parser.ParseFile(set, "wellknown.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	checked, err := new(types.Config).Check("scopes", set, []*ast.File{stub, file}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range checked.Scope().Names() {
		found, ok := checked.Scope().Lookup(name).(*types.Const)
		switch {
		case !ok || !found.Exported():
		case strings.HasSuffix(name, "ResourceServer"):
			if found.Type() != types.Typ[types.String] {
				t.Errorf("%s is a %s, and so may stand in a List", name, found.Type())
			}
			servers = append(servers, constant.StringVal(found.Val()))
		default:
			known = append(known, scopes.Scope(constant.StringVal(found.Val())))
		}
	}
	return known, servers
}

// The constants are those that the official SDK has, and each has the resource server
// that the SDK has for it.
func TestScopeResourceServer_WellKnownScopes(t *testing.T) {
	t.Parallel()
	var recorded struct {
		Collections map[string]struct {
			ResourceServer string                  `json:"resource_server"`
			Scopes         map[string]scopes.Scope `json:"scopes"`
		} `json:"collections"`
	}
	readJSON(t, "scope_constants.json", &recorded)
	known, servers := constants(t)
	if constants, listed := slices.Sorted(slices.Values(known)), slices.Sorted(slices.Values(scopes.WellKnown())); !slices.Equal(constants, listed) {
		t.Errorf("WellKnown is %q, the constants are %q", listed, constants)
	}
	known = append(known, scopes.EndpointManageCollections(someID), scopes.FlowUser(someID),
		scopes.CollectionDataAccess(someID), scopes.CollectionHTTPS(someID))
	for name, collection := range recorded.Collections {
		if server := collection.ResourceServer; server != someID && !slices.Contains(servers, server) {
			t.Errorf("%s: no constant for the resource server %q", name, server)
		}
		for _, scope := range collection.Scopes {
			if !slices.Contains(known, scope) {
				t.Errorf("%s: no constant for the scope %q", name, scope)
			}
			for _, form := range []scopes.Scope{scope, scope.Optional(), scope.With("urn:globus:auth:scope:x:y")} {
				if server, ok := form.ResourceServer(); !ok || server != collection.ResourceServer {
					t.Errorf("%s: derived resource server %q, %v, want %q", form, server, ok, collection.ResourceServer)
				}
			}
		}
	}
	for _, scope := range known {
		if server, _ := scope.ResourceServer(); server != someID && !slices.Contains(servers, server) || (scopes.List{scope}).Validate() != nil {
			t.Errorf("%q is for %q", scope, server)
		}
	}
}

func TestScopeResourceServer_Table(t *testing.T) {
	t.Parallel()
	tests := map[scopes.Scope]string{
		"https://auth.globus.org/scopes/example.org/all":              "example.org",
		"https://auth.preview.globus.org/scopes/" + someID + "/https": someID,
		"https://auth.test.globuscs.info/scopes/" + someID + "/all":   someID,
		"urn:globus:auth:scope:demo-resource-server:all":              "demo-resource-server",
		"*urn:globus:auth:scope:example.org:all[openid]":              "example.org",
		"": "", "offline_access": "", "custom": "", "openid2": "",
		"urn:globus:auth:scope:": "", "urn:globus:auth:scope:x": "", "urn:globus:auth:scope:x:": "",
		"urn:globus:auth:scope::all": "", "urn:globus:auth:scope:x:y:z": "", "urn:other:x:y": "",
		"https://auth.globus.org/scopes/": "", "https://auth.globus.org/scopes/x": "",
		"https://auth.globus.org/scopes/x/": "", "https://auth.globus.org/scopes//y": "",
		"https://auth.globus.org/scopes/x/y/z": "", "https://auth.globus.org/other/x/y": "",
		"http://auth.globus.org/scopes/x/y": "", "https://auth.globus.org": "",
		"https://auth.globus.org.example.net/scopes/x/y": "", "https://example.net/scopes/x/y": "",
		"https://evil-globus.org/scopes/x/y": "", "https://auth.evilglobus.org/scopes/x/y": "",
		"https://transfer.globus.org/scopes/x/y": "",
	}
	for scope, want := range tests {
		got, ok := scope.ResourceServer()
		if got != want || ok != (want != "") {
			t.Errorf("%q: got %q, %v, want %q", scope, got, ok, want)
		}
	}
}

// An ID that comes from outside must not be able to add a scope or a dependency.
func TestCollectionDataAccess_InvalidIDs(t *testing.T) {
	t.Parallel()
	functions := map[string]func(string) scopes.Scope{
		"CollectionDataAccess":      scopes.CollectionDataAccess,
		"CollectionHTTPS":           scopes.CollectionHTTPS,
		"EndpointManageCollections": scopes.EndpointManageCollections,
		"FlowUser":                  scopes.FlowUser,
	}
	ids := []string{
		"", " ", "x", someID + " ", someID + "/", someID[:35], someID[:35] + "g", strings.ReplaceAll(someID, "-", "0"),
		"x/y " + string(scopes.TransferAll) + " z", "x] y[z", "*", "x\ny", `x"y`, "11111111-2222-3333-4444_555555555555",
	}
	for name, function := range functions {
		for _, id := range ids {
			scope := function(id)
			if strings.ContainsAny(string(scope), " []*\n") {
				t.Errorf("%s(%q) = %q", name, id, scope)
			}
			for _, list := range []scopes.List{{scope}, {scopes.TransferAll.With(scope.Optional())}} {
				if err := list.Validate(); !errors.Is(err, scopes.ErrSyntax) {
					t.Errorf("%s(%q): %v, want ErrSyntax", name, id, err)
				}
			}
		}
		// Globus writes IDs in lower case, and names compare exactly.
		const lower = "abcdefab-cdef-abcd-efab-cdefabcdefab"
		if upper := function(strings.ToUpper(lower)); upper != function(lower) {
			t.Errorf("%s: %s of an ID in capitals", name, upper)
		}
	}
}
