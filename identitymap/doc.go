// Package identitymap looks up identities by username or identity ID, one or a
// million, as fast as the service allows.
//
// A [Map] takes keys of both kinds, mixed. It sends up to 100 keys of one kind in a
// request, several requests at once, caches the results, including that a key has no
// identity, and lets callers with the same key share one request.
//
// # Keys
//
// A key of 36 characters in the form of RFC 9562,
// "46bd0f56-e24f-11e5-a510-131bef46955c", is an identity ID, in either letter
// case. The official Python SDK also takes braces, "urn:uuid:" and a form
// without dashes; here those are not IDs, so that a key has one meaning.
//
// Every other key is a username and needs a domain: "alice@example.edu". The
// case of the letters A to Z is not significant. The case of other letters is: how
// the service folds them is not documented, and mistaking one user for another is
// worse than not finding one.
//
// A key that is neither, such as "alice", or one with a comma, which would be
// two keys on the wire, is [ErrNoIdentity] with the reason. It is not sent, because
// the service refuses the whole request that holds it.
//
// # Lookups
//
// [Map.Get] is for one key, [Map.GetMany] for a list, [Map.All] for more than
// fits in memory. Keys given to [Map.Add] are sent when a request has room.
//
// A failed request fails its own keys only. One that the service calls malformed
// is sent again in halves, so that only the bad keys fail. After a 429 the number
// of requests in flight is halved, grows again by one with every ten successes,
// and nothing is sent before the time that Retry-After names. A pause of up to a
// minute is waited for ([Config.OnPause] is told); a longer one is an error.
//
// # The cache
//
// A record is found by its ID and by its username, however it was asked for.
// If the service has two records for one username, the first of its response
// counts. Records are cached for [Config.TTL], at most [Config.CacheSize] of them.
//
// A map has no goroutine while no caller waits for it, and need not be closed.
package identitymap
