package redisstore_test

import (
	"crypto/aes"
	"crypto/cipher"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/globusauth/globusauth/tokens/redisstore"
)

// seal is an AEAD for tests.
type seal struct{ cipher.AEAD }

func newSeal(key string) seal {
	block, err := aes.NewCipher([]byte((key + strings.Repeat("-", 32))[:32]))
	if err != nil {
		panic(err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err)
	}
	return seal{aead}
}

func (s seal) Encrypt(plaintext, associatedData []byte) ([]byte, error) {
	return s.Seal(nil, nil, plaintext, associatedData), nil
}

func (s seal) Decrypt(ciphertext, associatedData []byte) ([]byte, error) {
	return s.Open(nil, nil, ciphertext, associatedData)
}

func TestNew_InvalidConfig(t *testing.T) {
	t.Parallel()
	good := redis.NewClient(&redis.Options{ContextTimeoutEnabled: true})
	cluster := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{"127.0.0.1:1"}})
	replicas := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{"127.0.0.1:1"}, ContextTimeoutEnabled: true, RouteRandomly: true})
	ring := redis.NewRing(&redis.RingOptions{ContextTimeoutEnabled: true})
	endless := redis.NewClient(&redis.Options{})
	t.Cleanup(func() {
		for _, client := range []redis.UniversalClient{good, cluster, replicas, ring, endless} {
			_ = client.Close()
		}
	})
	for want, test := range map[string]struct {
		client redis.UniversalClient
		prefix string
	}{
		"client is nil":               {},
		"set ContextTimeoutEnabled":   {client: endless},
		"deadlines: set ContextTime":  {client: cluster},
		"reads from replicas":         {client: replicas},
		"redis.Ring is not supported": {client: ring},
		`the Prefix "a{b}"`:           {client: good, prefix: "a{b}"},
		`the Prefix "*"`:              {client: good, prefix: "*"},
	} {
		config := redisstore.Config{Prefix: test.prefix}
		_, storeErr := redisstore.New(test.client, config)
		_, sessionsErr := redisstore.NewSessions(test.client, config)
		_, cacheErr := redisstore.NewCache(test.client, redisstore.CacheConfig{Config: config, Seal: newSeal("k")})
		for _, err := range []error{storeErr, sessionsErr, cacheErr} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("error %v, want one with %q", err, want)
			}
		}
	}
	if _, err := redisstore.NewCache(good, redisstore.CacheConfig{}); err == nil || !strings.Contains(err.Error(), "Seal is nil") {
		t.Errorf("a cache without a key: %v", err)
	}
}
