// Package change makes a change to stored tokens that another process has changed meanwhile.
package change

import "github.com/globusauth/globusauth/tokens"

// On makes the change from before to after to a set, for each resource server whose token
// is still the one that was replaced, or for all of them. It reports whether the whole change was made.
func On(current, before, after tokens.Set, all bool) (next tokens.Set, whole bool) {
	whole = true
	for _, token := range append(before.All(), after.All()...) {
		server := token.ResourceServer
		now, _ := current.ByResourceServer(server)
		replaced, _ := before.ByResourceServer(server)
		wanted, _ := after.ByResourceServer(server)
		switch {
		case wanted == replaced || now == wanted:
		case now == replaced || all:
			current = current.Without(server)
			if wanted.AccessToken != "" {
				current = current.Merge(tokens.Salvage([]tokens.Token{wanted}))
			}
		default:
			whole = false
		}
	}
	return current, whole
}
