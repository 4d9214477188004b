package redisstore

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/redis/go-redis/v9"
)

// advise says what to do about an error, and whether it stays until a person does it.
func advise(err error) (advice string, permanent bool) {
	const rights = "the user may not do this: allow it +get +set +del +pexpire +scan +eval on the keys with the prefix"
	for _, reply := range []struct { // of the server
		begin, advice string
		permanent     bool
	}{
		{"WRONGPASS", "the user name or password is wrong: set Username and Password in the client's options", true},
		{"NOAUTH", "the server wants a password: set Password in the client's options", true},
		{"NOPERM", rights, true},
		{"The user executing the script", rights, true},
		{"WRONGTYPE", "the key holds the data of another program: choose another Prefix", true},
		{"READONLY", "this server is a replica: connect to the primary, or use a Sentinel or Cluster client", false},
		{"OOM", "the server has no memory left: raise maxmemory, or remove data", false},
		{"MISCONF", "the server cannot write to its disk: look at its log, and make room", false},
		{"LOADING", "the server is starting: try again", false},
		{"NOREPLICAS", "too few replicas are connected to the server (min-replicas-to-write)", false},
		{"CLUSTERDOWN", "the cluster is not complete: look at CLUSTER INFO", false},
		{"MASTERDOWN", "the replica has lost its primary: connect to the primary", false},
		{"max number", "the server has too many clients: raise maxclients, or lower PoolSize in the client's options", false},
		{"BUSY Redis", "the server is busy with a script", false},
	} {
		if redis.HasErrorPrefix(err, reply.begin) {
			return reply.advice, reply.permanent
		}
	}
	dial, _ := errors.AsType[*net.OpError](err)
	switch {
	case is[tls.RecordHeaderError](err):
		return "the server does not use TLS on this port: leave TLSConfig nil in the client's options, or use its TLS port", true
	case is[*tls.CertificateVerificationError](err):
		return "the server's certificate is not trusted: set RootCAs and ServerName in the client's TLSConfig", true
	case is[tls.AlertError](err):
		return "the server refused the TLS connection: set Certificates in the client's TLSConfig if it wants a client certificate", true
	case dial != nil && dial.Op == "dial":
		return "no server accepts connections at the client's Addr: start it, or correct the address", false
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the server closed the connection: look at its log; if it uses TLS, set TLSConfig in the client's options", false
	case errors.Is(err, redis.ErrPoolTimeout):
		return "all connections of the client are in use: raise PoolSize in its options", false
	}
	return "", false
}

func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// explain says what to do about an error of the client. Such errors hold no password.
//
// It also makes a Cluster client read which node has which keys, for the next attempt. By itself the client
// does so only once a minute after a node is lost (https://github.com/redis/go-redis/issues/3979).
func explain(ctx context.Context, client redis.UniversalClient, err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	advice, permanent := advise(err)
	if cluster, ok := client.(*redis.ClusterClient); ok && !permanent {
		cluster.ReloadState(context.WithoutCancel(ctx))
	}
	if advice == "" {
		return err
	}
	return fmt.Errorf("%s: %w", advice, err)
}

// Permanent reports that an error does not go away by itself.
func (b *backend) Permanent(err error) bool {
	_, permanent := advise(err)
	return permanent
}
