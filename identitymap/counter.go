package identitymap

import "sync/atomic"

// counter counts on many cores at once, in stripes that lie on cache lines of
// their own. The cache library's counter does the same and takes a fifth of a
// lookup's time.
type counter [32]struct {
	n atomic.Uint64
	_ [56]byte
}

// increment counts one for a key, which is not empty and picks the stripe.
func (c *counter) increment(key string) {
	c[key[len(key)/2]%uint8(len(c))].n.Add(1)
}

func (c *counter) value() uint64 {
	var sum uint64
	for i := range c {
		sum += c[i].n.Load()
	}
	return sum
}
