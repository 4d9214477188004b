package cli

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/globusauth/globusauth/idtoken"
)

// jwt is what an ID token says, without its signature, so that it cannot be used again.
type jwt struct {
	Verified bool            `json:"verified"`
	Header   json.RawMessage `json:"header"`
	Claims   json.RawMessage `json:"claims"`
}

// decodeJWT reads a JWT in the compact form (RFC 7515 section 3.1) and verifies nothing. The error holds
// nothing of the token.
func decodeJWT(raw string) (jwt, error) {
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		return jwt{}, errors.New("not a JWT: three parts with dots between them")
	}
	var token jwt
	for i, part := range []*json.RawMessage{&token.Header, &token.Claims} {
		text, err := base64.RawURLEncoding.DecodeString(parts[i])
		var object map[string]json.RawMessage
		if err != nil || json.Unmarshal(text, &object) != nil || object == nil {
			return jwt{}, errors.New("not a JWT: the first two parts must be JSON objects in base64url")
		}
		*part = text
	}
	return token, nil
}

// rows is the table of a token.
func (j jwt) rows() table {
	rows := table{{"verified", "no"}}
	if j.Verified {
		rows[0][1] = "yes"
	}
	rows.value("header", j.Header, 0)
	rows.value("", j.Claims, 0)
	for i, row := range rows {
		switch row[0] {
		case "exp", "iat", "nbf", "auth_time", "last_authentication":
			if seconds, err := strconv.ParseInt(row[1], 10, 64); err == nil {
				rows[i][1] += " (" + stamp(time.Unix(seconds, 0)) + ")"
			}
		}
	}
	return rows
}

// readJWT returns the token of the arguments, or of standard input.
func (r *runner) readJWT(ctx context.Context, args []string) (string, error) {
	if len(args) > 0 && args[0] != "-" {
		return strings.TrimSpace(args[0]), nil
	}
	if isTerminal(r.In) {
		r.tell("reading the token from the terminal; Ctrl-D ends the input")
	}
	raw, err := r.readInput(ctx, "TOKEN", "-", maxInput)
	return strings.TrimSpace(string(raw)), err
}

func (r *runner) idToken() *cobra.Command {
	return group("id-token", "Verify or decode ID tokens", r.idTokenVerify(), r.idTokenDecode())
}

func (r *runner) idTokenDecode() *cobra.Command {
	command := &cobra.Command{
		Use:   "decode [TOKEN]",
		Short: "Show what an ID token says, without verifying it",
		Long: `Show header and claims of an ID token. Nothing is verified: the token may be
forged, expired or for another client. Use "id-token verify" before you trust it.

Without TOKEN, or with "-", the token is read from standard input, where other
users of the machine cannot see it. Its signature is not shown. No request is
sent.`,
		Example: `  globus-auth id-token decode < id_token.txt`,
		Args:    exactArgs,
	}
	output := r.outputFlags(command, "table")
	command.RunE = func(cmd *cobra.Command, args []string) error {
		raw, err := r.readJWT(cmd.Context(), args)
		if err != nil {
			return err
		}
		token, err := decodeJWT(raw)
		if err != nil {
			return err
		}
		r.tell("warning: nothing is verified: the token may be forged")
		return r.print(cmd.Context(), output, token, token.rows())
	}
	return command
}

func (r *runner) idTokenVerify() *cobra.Command {
	var expect idtoken.Expect
	accessToken := ""
	command := &cobra.Command{
		Use:   "verify [TOKEN]",
		Short: "Verify an ID token and show what it says",
		Long: `Verify an ID token against the keys that the service publishes, and show its
header and claims. It must be for the client of --client-id, or the one that is
logged in. The nonce is checked only with --nonce.

Without TOKEN, or with "-", the token is read from standard input, where other
users of the machine cannot see it. Its signature is not shown. The exit code is
0 only if the token is valid.`,
		Example: `  globus-auth id-token verify --client-id ID < id_token.txt`,
		Args:    exactArgs,
	}
	r.usesLogin(command)
	flags := command.Flags()
	flags.StringVar(&expect.Nonce, "nonce", "", "`nonce` that the login sent")
	flags.StringVar(&accessToken, "access-token-file", "", "`file` with the access token that came with it, to check at_hash")
	flags.DurationVar(&expect.MaxAge, "max-age", 0, "`duration` since the user authenticated at most, such as 30m")
	output := r.outputFlags(command, "table")
	command.RunE = func(cmd *cobra.Command, args []string) error {
		if expect.MaxAge < 0 {
			return usagef("--max-age %s is negative", expect.MaxAge)
		}
		config, err := r.appConfig()
		if err == nil && config.ClientID == "" {
			config.ClientID, err = r.onlyClient(cmd.Context(), config)
		}
		if err != nil {
			return err
		}
		expect.NoNonce = expect.Nonce == ""
		if accessToken != "" {
			if expect.AccessToken, err = r.readSecretFlag(cmd.Context(), "access-token-file", accessToken); err != nil {
				return err
			}
		}
		raw, err := r.readJWT(cmd.Context(), args)
		if err != nil {
			return err
		}
		expect.ClientID = config.ClientID
		if _, err := config.Client.IDTokens().Verify(cmd.Context(), raw, expect); err != nil {
			if _, refused := errors.AsType[idtoken.CheckError](err); refused {
				err = &problem{words: "the token is not valid", err: err}
			}
			return err
		}
		token, err := decodeJWT(raw)
		if err != nil {
			return err
		}
		token.Verified = true
		return r.print(cmd.Context(), output, token, token.rows())
	}
	return command
}
