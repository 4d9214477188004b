package flows

import "io"

// WithRandom replaces the source of verifier, state and nonce.
func WithRandom(random io.Reader) StartOption {
	return startOptionFunc(func(r *request) error {
		r.random = random
		return nil
	})
}
