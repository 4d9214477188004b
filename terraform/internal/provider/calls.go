package provider

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/globusauth/globusauth"
)

// The functions of this file make calls of a resource out of the generated methods of
// [globusauth.Client]. Bodies pass through the generated types; responses are read as documents, because
// the generated types read null as the zero value.

type option = globusauth.CallOption

func creates[B, R any](envelope string, send func(*globusauth.Client, context.Context, B, ...option) (*R, error)) func(context.Context, *globusauth.Client, document, []byte) (document, error) {
	return func(ctx context.Context, auth *globusauth.Client, _ document, body []byte) (document, error) {
		return exchange(envelope, body, func(typed B, response option) error {
			_, err := send(auth, ctx, typed, response)
			return err
		})
	}
}

func updates[B, R any](envelope, id string, send func(*globusauth.Client, context.Context, string, B, ...option) (*R, error)) func(context.Context, *globusauth.Client, document, []byte) (document, error) {
	return func(ctx context.Context, auth *globusauth.Client, known document, body []byte) (document, error) {
		return exchange(envelope, body, func(typed B, response option) error {
			_, err := send(auth, ctx, known.text(id), typed, response)
			return err
		})
	}
}

func reads[R any](envelope string, send func(*globusauth.Client, context.Context, string, ...option) (*R, error)) func(context.Context, *globusauth.Client, document) (document, error) {
	return func(ctx context.Context, auth *globusauth.Client, known document) (document, error) {
		return receive(envelope, func(response option) error {
			_, err := send(auth, ctx, known.text("id"), response)
			return err
		})
	}
}

func deletes[R any](send func(*globusauth.Client, context.Context, string, ...option) (*R, error)) func(context.Context, *globusauth.Client, document) error {
	return func(ctx context.Context, auth *globusauth.Client, known document) error {
		_, err := send(auth, ctx, known.text("id"))
		return err
	}
}

// exchange sends a body through its generated type.
func exchange[B any](envelope string, body []byte, send func(typed B, response option) error) (document, error) {
	var typed B
	if err := json.Unmarshal(body, &typed); err != nil {
		return nil, fmt.Errorf("write the body: %w", err)
	}
	return receive(envelope, func(response option) error { return send(typed, response) })
}

// receive returns the document of a response, out of its envelope if it has one.
func receive(envelope string, send func(response option) error) (document, error) {
	var decoder *json.Decoder
	keep := func(_ int, _ http.Header, body []byte) { decoder = json.NewDecoder(bytes.NewReader(body)) }
	if err := send(globusauth.WithResponse(keep)); err != nil {
		return nil, err
	}
	var whole document
	decoder.UseNumber()
	if err := decoder.Decode(&whole); err != nil {
		return nil, fmt.Errorf("read the response: %w", globusauth.ErrMalformedResponse)
	}
	if inner, ok := whole[envelope].(map[string]any); ok {
		return inner, nil
	}
	return whole, nil
}
