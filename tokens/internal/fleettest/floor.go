package fleettest

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/url"

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
	address, err := url.Parse(c.URL)
	if err != nil {
		return err
	}
	conn, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", address.Host)
	if err != nil {
		return err
	}
	const form = "refresh_token="
	buffer := make([]byte, 4096)
	for {
		if _, err := fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: issuer\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s%s",
			len(form)+len(token), form, token); err != nil {
			return err
		}
		said := received(string(token))
		n, err := conn.Read(buffer)
		if err != nil {
			return err
		}
		_, response, _ := bytes.Cut(buffer[:n], []byte(`"refresh_token":"`))
		next, _, found := bytes.Cut(response, []byte(`"`))
		if !found { // refused: a request of the process before came late
			continue
		}
		fmt.Println(said)
		token = bytes.Clone(next)
		if err := store.Write(bytes.Join([][]byte{before, token, after}, nil)); err != nil {
			return err
		}
	}
}
