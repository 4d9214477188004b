package authtest

import (
	crand "crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
)

// random makes IDs and tokens. It is a cryptographic generator, seeded by the
// system or, for a deterministic server, with a fixed seed. The caller holds the
// engine's lock.
type random struct {
	source *rand.ChaCha8
}

func newRandom(deterministic bool) *random {
	var seed [32]byte
	if deterministic {
		copy(seed[:], "authtest: the same every time")
	} else {
		_, _ = crand.Read(seed[:]) // never fails
	}
	return &random{source: rand.NewChaCha8(seed)}
}

// uuid returns a random UUID, version 4 of RFC 9562.
func (r *random) uuid() string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], r.source.Uint64())
	binary.BigEndian.PutUint64(b[8:], r.source.Uint64())
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	text := hex.EncodeToString(b[:])
	return text[:8] + "-" + text[8:12] + "-" + text[12:16] + "-" + text[16:20] + "-" + text[20:]
}

// secret returns 48 hexadecimal digits, 192 bits, behind a prefix that says what
// the value is and that it is a fake. It has no character that any encoding
// would change.
func (r *random) secret(prefix string) string {
	var b [24]byte
	_, _ = r.source.Read(b[:]) // never fails
	return prefix + hex.EncodeToString(b[:])
}
