// Command globus-auth logs people in to Globus Auth, hands out tokens, looks up
// identities, scopes and consents, and runs a double of the service for tests.
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
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// Whoever interrupts a second time does not want to wait any longer.
	context.AfterFunc(ctx, stop)
	code := cli.Run(ctx, os.Args[1:], cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}, os.Getenv)
	stop()
	os.Exit(code)
}
