package fleettest

import (
	"bytes"
	"context"
	"net/http"

	"github.com/globusauth/globusauth/tokens"
)

// Floor is a store to compare with. Write does nothing but send data over an open connection, and wait for its reply.
type Floor interface {
	tokens.Store
	Write(data []byte) error
}

// bare refreshes as refreshForever does, and does nothing between the response and what stores it. What
// it loses when it is killed, no store can keep.
func (c child) bare(store Floor) error {
	const mark = "REFRESH"
	set, err := login("A", mark)
	if err != nil {
		return err
	}
	data, err := set.MarshalStorage()
	if err != nil {
		return err
	}
	before, after, _ := bytes.Cut(data, []byte(mark))
	set, err = store.Load(context.Background(), Key())
	if err != nil {
		return err
	}
	current, _ := set.ByResourceServer(server)
	token := []byte(current.RefreshToken)
	for client := (&http.Client{Transport: &http.Transport{}}); ; {
		body, err := c.ask(context.Background(), client, string(token))
		if err != nil { // a request of the process before came late
			continue
		}
		_, token, _ = bytes.Cut(body, []byte(`"refresh_token":"`))
		token, _, _ = bytes.Cut(token, []byte(`"`))
		if err := store.Write(bytes.Join([][]byte{before, token, after}, nil)); err != nil {
			return err
		}
	}
}
