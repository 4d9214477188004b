// Package pgstore keeps tokens and web sessions in PostgreSQL, for programs that
// run on many machines.
//
// The tables are created by [Migrate] or by the statements that [Schema] returns,
// never by anything else. The programs need only SELECT, INSERT, UPDATE and DELETE on them.
// All statements are single ones without a transaction or prepared statements of
// their own, so that PgBouncer may stand in between, in transaction mode.
//
// # Promises of the store
//
//   - Updates of one key take turns, also across machines. An update holds a lease of
//     15 seconds, which is extended while it runs. It holds no connection while it
//     runs. A process that is killed, or is cut off from the database, blocks the
//     updates of its keys for at most 15 seconds. Waiting for
//     another update ends after 30 seconds with [tokens.ErrLocked].
//   - The statement that stores a result checks that its lease was not taken by another. A process
//     that was paused for longer than its lease and wakes up stores its result only if
//     no other has stored one since: it never overwrites a newer login.
//   - What an update received is durable when Update returns, also where
//     synchronous_commit is off. If the database does not respond, storing it is
//     tried for 30 seconds.
//   - Load takes no lock, and may read from a standby.
//   - Load and Update use the primary key. Only Keys takes longer the more is stored.
//   - An expired session is not returned. Each Add removes up to two of them.
//
// A standby that is promoted may lack the last changes unless it is a synchronous one.
// If the service rotates refresh tokens, the logins that were refreshed in those
// last moments are lost then.
//
// Tokens are stored as they are. Package sealed encrypts them.
package pgstore
