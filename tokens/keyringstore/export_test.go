package keyringstore

// Open is New with another keyring.
var Open = open

// Ring is another keyring.
func Ring(get func(service, user string) (string, error), set func(service, user, secret string) error) ring {
	return ring{get, set}
}
