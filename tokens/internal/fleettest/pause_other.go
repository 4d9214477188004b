//go:build !unix

package fleettest

import (
	"errors"

	"github.com/globusauth/globusauth/tokens"
)

func hold(tokens.Store) error { return errors.New("this system cannot pause a process") }
