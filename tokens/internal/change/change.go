// Package change makes a change to stored tokens that another process has changed meanwhile.
package change

import "github.com/globusauth/globusauth/tokens"

// On makes the change from before to after to a set, for each resource server whose token
// is still the one that was replaced, or for all of them. It reports whether the whole change was made.
func On(current, before, after tokens.Set, all bool) (next tokens.Set, whole bool, err error) {
	servers := map[string]bool{}
	for _, set := range []tokens.Set{current, before, after} {
		for _, token := range set.All() {
			servers[token.ResourceServer] = true
		}
	}
	var list []tokens.Token
	whole = true
	for server := range servers {
		token, _ := current.ByResourceServer(server)
		replaced, _ := before.ByResourceServer(server)
		wanted, _ := after.ByResourceServer(server)
		if token == replaced || all && wanted != replaced {
			token = wanted
		}
		whole = whole && (token == wanted || wanted == replaced)
		if token.AccessToken != "" {
			list = append(list, token)
		}
	}
	next, err = tokens.NewSet(list...)
	return next, whole, err
}
