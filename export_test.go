package globusauth

// SetRandom replaces the random numbers in [0, 1) that spread a client's retries.
func SetRandom(c *Client, random func() float64) { c.random = random }
