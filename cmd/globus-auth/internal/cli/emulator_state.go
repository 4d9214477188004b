package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/globusauth/globusauth/authtest"
)

const (
	maxSeed   = 64 << 20 // bytes
	savePause = time.Second
)

// readSeed reads the world of --seed: a regular file, or standard input for "-".
func (r *runner) readSeed(ctx context.Context, path string) (world authtest.World, err error) {
	text, err := r.readInput(ctx, "--seed", path, maxSeed)
	if err != nil {
		return world, err
	}
	if world, err = authtest.ReadWorld(bytes.NewReader(text)); err != nil {
		err = &problem{words: "--seed: " + path, err: err}
	}
	return world, err
}

// readState reads the world of --save, nil where there is none yet, and removes
// what a killed emulator left behind.
func readState(path string) (*authtest.World, error) {
	if err := os.Remove(path + unfinished); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("--save: %w", err)
	}
	file, err := openRegular("--save", path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // No state is not an error.
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	world, err := authtest.ReadWorld(file)
	if err != nil {
		return nil, &problem{words: "--save: " + path, err: err}
	}
	return &world, nil
}

// saver keeps the state of an emulator in a file.
type saver struct {
	server *authtest.Server
	path   string
	warn   func(format string, args ...any)
	saved  uint64 // changes that the file has
	exists bool
}

// start saves what has changed, once a second at most, until the returned
// function is called. A long save is followed by a pause as long.
func (s *saver) start(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for pause := savePause; ; {
			timer := time.NewTimer(pause)
			select {
			case <-ctx.Done():
				timer.Stop()
				return
			case <-timer.C:
			}
			began := time.Now()
			if err := s.save(); err != nil {
				s.warn("warning: the state is not saved: %v", err)
			}
			pause = max(savePause, time.Since(began))
		}
	}()
	return func() { cancel(); <-ended }
}

// save writes the state if it changed.
func (s *saver) save() error {
	changes := s.server.Changes()
	if s.exists && changes == s.saved {
		return nil
	}
	if err := writeWorld(s.path, s.server.Snapshot()); err != nil { // has at least these changes
		return fmt.Errorf("--save: %w", err)
	}
	s.saved, s.exists = changes, true
	return nil
}

// unfinished ends the name of a file that is being written.
const unfinished = ".unfinished"

// writeWorld replaces the file in one step, so that a crash leaves the old or
// the new state.
func writeWorld(path string, world authtest.World) error {
	temporary := path + unfinished
	file, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	err = world.Write(file)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(temporary, path)
	}
	if err != nil {
		_ = os.Remove(temporary)
	}
	return err
}
