package authtest

import "sync"

// saver writes the state before answers that depend on it go out. Answers that
// wait together share one writing.
type saver struct {
	save     func(World) error
	snapshot func() World

	mu    sync.Mutex
	saved uint64 // the version that is safe
}

// flush returns when the version is saved.
func (s *saver) flush(e *engine, version uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.saved >= version {
		return nil
	}
	e.mu.Lock()
	now := e.version
	e.mu.Unlock()
	if err := s.save(s.snapshot()); err != nil { // holds at least what version now has
		return err
	}
	s.saved = now
	return nil
}
