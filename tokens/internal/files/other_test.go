//go:build !unix

package files_test

import (
	"errors"
	"testing"
)

func mkfifo(string) error { return errors.New("no named pipes") }

func dead(*testing.T) int { return 0 }
