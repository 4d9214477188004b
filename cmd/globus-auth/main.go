// Command globus-auth logs people in to Globus Auth, hands out tokens, looks up
// identities, scopes and consents, and runs a test double of the service.
//
// Run "globus-auth help" for its verbs, and "globus-auth quickstart" to see all
// of it work without a network.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/globusauth/globusauth/cmd/globus-auth/internal/cli"
)

func main() {
	ends := []os.Signal{syscall.SIGTERM}
	for _, other := range []os.Signal{os.Interrupt, syscall.SIGHUP} {
		if !signal.Ignored(other) { // as nohup and background jobs want it
			ends = append(ends, other)
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), ends...)
	context.AfterFunc(ctx, stop) // a second signal ends the command at once
	code := cli.Run(ctx, os.Args[1:], cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}, os.Getenv)
	stop()
	os.Exit(code)
}
