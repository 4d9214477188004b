// Package redisstore keeps on Redis, or Valkey, what the machines of a fleet share: the
// tokens of logins ([Store]), web sessions ([Sessions]) and what was asked of the
// service ([Cache]). It needs Redis 7 or Valkey, as one server, with Sentinel, or as a Cluster. The tests
// run on all four.
//
// The caller makes the client, with its address, password and TLS, and closes it. Its option
// ContextTimeoutEnabled must be set, so that a call ends when its context does. Clients that read from
// replicas are refused, because replicas lag behind.
//
// After a command that failed, a Cluster client reads at once which node has which keys. By itself it
// does that once a minute, and as long it would not find the node that takes the place of one that was lost.
//
// # What a Store promises
//
// An update holds a lease of 15 seconds, which is extended while the update runs. So a process
// that is killed, or cut off, blocks the updates of that login for 15 seconds at most. The lease
// is checked by the script that writes: a process that was paused for longer cannot
// overwrite what another has stored meanwhile. Waiting updates look for the end of a lease every
// 10 to 250 ms. Load is one GET and waits for nothing.
//
// Both keys of a login have the same hash tag, and every script uses the keys of one login, so
// that a Cluster keeps them together.
//
// # What Redis promises
//
// An update that returned without an error is in the memory of the primary. What
// becomes of it then depends on how Redis is run:
//
//   - A server that is restarted, or killed, keeps what it has written to its append-only file
//     ("appendonly yes"). With "appendfsync always" that is everything, also when the machine loses
//     power. With "everysec", Redis may hold back what it writes for two seconds while an earlier
//     flush is slow: a server that is killed loses the updates of that time, and a machine that loses
//     power those of about two seconds. A login is stored so rarely that
//     "always" costs little; a server whose disk is full ends then, where with "everysec" it
//     refuses updates. Without an append-only file, logins stored since the last snapshot are lost.
//   - Replicas are behind by the time of the network, and by up to a second after they have
//     joined. A failover, by hand, by Sentinel or in a Cluster, loses the updates that
//     the new primary had not received: a login falls back to the state before, and
//     a refresh token that was rotated since needs a new login. WAIT and WAITAOF (Redis 7.2) are
//     not used: they report a replica that is behind only after the refresh
//     token has been used. "min-replicas-to-write" makes a cut-off primary refuse updates before.
//   - While no primary accepts updates, an update fails before it begins; the result of one that
//     runs then is stored at the new primary, if that is there within 30 seconds.
//   - A failover also loses leases. Two processes may then refresh at once; the later one to
//     store cannot overwrite the other.
//   - With an eviction policy other than "noeviction", or "volatile-*", a server that is full
//     deletes logins. A [Cache] may use a server that evicts.
//
// [Sessions] may be sent twice by the client where a connection breaks; the second attempt recognises the
// first. For that, the data of a session that was taken stays in Redis for 30 seconds, under a
// name with ":taken".
//
// Keys scans the whole database. Other calls take the same time however many logins are stored.
//
// Tokens are stored as text. Package tokens/sealed encrypts them.
package redisstore
