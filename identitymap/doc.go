// Package identitymap answers "who is this?" for one person or a million:
// usernames and identity IDs to identities, at the speed the service allows.
//
// A [Map] takes keys of both kinds, mixed. It asks for up to 100 of one kind in
// a request, sends several requests at once, remembers what it learned, also
// that somebody does not exist, and lets everybody who asks for a key while it
// is on its way share the one request.
//
// # Keys
//
// A key of 36 characters in the form of RFC 9562,
// "46bd0f56-e24f-11e5-a510-131bef46955c", is an identity ID, in either letter
// case. The official Python SDK also takes braces, "urn:uuid:" and a form
// without dashes; here those are no IDs, so that a key has one meaning.
//
// Every other key is a username and needs a domain: "alice@example.edu". The
// case of the letters A to Z does not matter. That of other letters does: what
// the service makes of them is not stated, and taking two people for one is
// worse than not finding one of them.
//
// A key that is neither, such as "alice", or one with a comma, which would be
// two keys on the wire, names nobody: it is [ErrNotFound] with the reason, and
// is not sent, because the service refuses the whole request that holds it.
//
// # Lookups
//
// [Map.Get] is for one key, [Map.GetMany] for a list, [Map.All] for more than
// one wants to hold in memory. Keys given to [Map.Add] are asked for when a
// request has room.
//
// A failed request costs the answers of its own keys only. One that the service
// calls malformed is asked for in halves, so that a few bad keys cost themselves.
// A service that answers 429 is asked less: the number of requests at once is
// halved, grows again by one with every ten successes, and nothing more is sent
// before the time that Retry-After names. Up to a minute of that is waited for,
// in place of the keys' failing.
//
// # The cache
//
// A record is found by its ID and by its username, however it was asked for.
// If the service has two records for one username, the first of its answer
// counts. Records are kept for [Config.TTL], the absence of one for [Config.MissTTL],
// and at most [Config.CacheSize] of them. Maps may share a cache
// ([Config.Share]).
//
// A map has no goroutine while nobody waits for it, and needs no closing.
package identitymap
