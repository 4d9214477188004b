package redisstore

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/redis/go-redis/v9"
)

// permanent are the replies that stay the same until a person changes something, and what to do.
func permanent(err error) (advice string) {
	const rights = "the user may not do this: allow it +get +set +del +pexpire +scan +eval +evalsha on the keys with the prefix"
	for prefix, advice := range map[string]string{
		"WRONGPASS":                     "the user name or password is wrong: set Username and Password in the client's options",
		"NOAUTH":                        "the server wants a password: set Password in the client's options",
		"NOPERM":                        rights,
		"The user executing the script": rights,
		"WRONGTYPE":                     "the key holds the data of another program: choose another Prefix",
	} {
		if redis.HasErrorPrefix(err, prefix) {
			return advice
		}
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return "the server does not use TLS on this port: leave TLSConfig nil in the client's options, or use its TLS port"
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return "the server's certificate is not trusted: set RootCAs and ServerName in the client's TLSConfig"
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return "the server's certificate is for another name: set ServerName in the client's TLSConfig"
	}
	if _, ok := errors.AsType[tls.AlertError](err); ok {
		return "the server refused the TLS connection: set Certificates in the client's TLSConfig if it wants a client certificate"
	}
	return ""
}

// passing are the replies that may end by themselves.
func passing(err error) (advice string) {
	for prefix, advice := range map[string]string{
		"READONLY":    "this server is a replica: connect to the primary, or use a Sentinel or Cluster client",
		"OOM":         "the server has no memory left: raise maxmemory, or remove data",
		"MISCONF":     "the server cannot write to its disk: look at its log, and make room",
		"LOADING":     "the server is starting: try again",
		"NOREPLICAS":  "too few replicas are connected to the server (min-replicas-to-write)",
		"CLUSTERDOWN": "the cluster is not complete: look at CLUSTER INFO",
		"MASTERDOWN":  "the replica has lost its primary: connect to the primary",
		"max number":  "the server has too many clients: raise maxclients, or lower PoolSize in the client's options",
		"BUSY Redis":  "the server is busy with a script",
	} {
		if redis.HasErrorPrefix(err, prefix) {
			return advice
		}
	}
	if dial, ok := errors.AsType[*net.OpError](err); ok && dial.Op == "dial" {
		return "no server accepts connections at the client's Addr: start it, or correct the address"
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return "the server closed the connection: look at its log; if it uses TLS, set TLSConfig in the client's options"
	}
	if errors.Is(err, redis.ErrPoolTimeout) {
		return "all connections of the client are in use: raise PoolSize in its options"
	}
	return ""
}

// explain says what to do about an error of the client. Such errors hold no password.
//
// It also makes a Cluster client read which node has which keys, for the next attempt. By itself the client
// does so only once a minute after a node is lost (https://github.com/redis/go-redis/issues/3979).
func explain(ctx context.Context, client redis.UniversalClient, err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	advice := permanent(err)
	if advice == "" {
		advice = passing(err)
		if cluster, ok := client.(*redis.ClusterClient); ok {
			cluster.ReloadState(context.WithoutCancel(ctx))
		}
	}
	if advice == "" {
		return err
	}
	return fmt.Errorf("%s: %w", advice, err)
}

// Permanent reports that an error does not go away by itself.
func (b *backend) Permanent(err error) bool { return permanent(err) != "" }
