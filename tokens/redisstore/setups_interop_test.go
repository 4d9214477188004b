//go:build interop

package redisstore_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/globusauth/globusauth/flows/login"
	"github.com/globusauth/globusauth/tokens"
	"github.com/globusauth/globusauth/tokens/internal/fleettest"
	"github.com/globusauth/globusauth/tokens/redisstore"
	"github.com/globusauth/globusauth/tokens/sealed"
	"github.com/globusauth/globusauth/tokens/storetest"
)

var _ login.Sessions = (*redisstore.Sessions)(nil)

// promises are what every set-up of servers keeps.
func promises(t *testing.T, p place, fleet string) {
	t.Helper()
	open := func(t *testing.T) redis.UniversalClient {
		t.Helper()
		client := p.client()
		t.Cleanup(func() { _ = client.Close() })
		return client
	}
	storetest.Run(t, func(t *testing.T) (a, b tokens.Store) {
		t.Helper()
		config := config()
		return newStore(t, open(t), config), newStore(t, open(t), config)
	})
	t.Run("sessions", func(t *testing.T) {
		t.Parallel()
		config := config()
		fleettest.Sessions(t, newSessions(t, open(t), config), newSessions(t, open(t), config))
	})
	t.Run("sealed", func(t *testing.T) {
		t.Parallel()
		config := config()
		fleettest.Sealed(t, func(t *testing.T) (tokens.Store, sealed.SessionStore) {
			t.Helper()
			client := open(t)
			return newStore(t, client, config), newSessions(t, client, config)
		})
	})
	t.Run("cache", func(t *testing.T) {
		t.Parallel()
		config := config()
		a, b := newReplica(t, open(t), config), newReplica(t, open(t), config)
		for _, replica := range []*replica{a, b} {
			if got := replica.fetch(t.Context(), "alice", "bob", "carol", "dan"); len(got) != 4 || got["carol"] != "about carol" {
				t.Errorf("got %v", got)
			}
		}
		if loads(a, b) != 4 {
			t.Errorf("%d loads", loads(a, b))
		}
	})
	t.Run("fleet", func(t *testing.T) {
		t.Parallel()
		processes, goroutines, duration := fleettest.Processes(t, "REDISSTORE_FLEET", fleet)
		p.fleet(t, 0).Share(t, processes, goroutines, duration, nil)
	})
	t.Run("paused process", func(t *testing.T) {
		t.Parallel()
		p.fleet(t, testLease).Pause(t, testLease)
	})
}

func TestRedis(t *testing.T) {
	t.Parallel()
	promises(t, shared.place(), "16 8 10")
}

func TestValkey(t *testing.T) {
	t.Parallel()
	promises(t, startProgram(t, "valkey-server").place(), "4 4 4")
}

// startCluster starts a Cluster of three nodes without data.
func startCluster(t *testing.T) (nodes []*server) {
	t.Helper()
	const slots = 16384
	for i := range 3 {
		node := startNode(t)
		command(t, node.client(t), "CLUSTER", "SET-CONFIG-EPOCH", i+1)
		command(t, node.client(t), "CLUSTER", "ADDSLOTSRANGE", i*slots/3, (i+1)*slots/3-1)
		if i > 0 {
			meet(t, nodes[0], node)
		}
		nodes = append(nodes, node)
	}
	for _, node := range nodes {
		eventually(t, "the nodes of the cluster know each other", func() bool {
			info := node.client(t).ClusterInfo(t.Context()).Val()
			return strings.Contains(info, "cluster_state:ok") && strings.Contains(info, "cluster_known_nodes:3")
		})
	}
	return nodes
}

func startNode(t *testing.T) *server {
	t.Helper()
	return startServer(t, "--cluster-enabled", "yes", "--cluster-node-timeout", "500", "--cluster-port", "{bus}")
}

func meet(t *testing.T, first, node *server) {
	t.Helper()
	bus := node.args[slices.Index(node.args, "--cluster-port")+1]
	command(t, first.client(t), "CLUSTER", "MEET", "127.0.0.1", node.port(), bus)
}

func clusterOf(nodes []*server) place {
	p := place{Nodes: true}
	for _, node := range nodes {
		p.Addrs = append(p.Addrs, node.Addr)
	}
	return p
}

func TestCluster(t *testing.T) {
	t.Parallel()
	promises(t, clusterOf(startCluster(t)), "4 4 4")
}

// A node of a Cluster is killed, or says nothing more, while a fleet refreshes, and its replica takes its place.
func TestCluster_Failover(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(*server){
		"killed": (*server).kill,
		"silent": func(s *server) { _ = s.cmd.Process.Signal(syscall.SIGSTOP) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			failover(t, lose)
		})
	}
}

func failover(t *testing.T, lose func(*server)) {
	t.Helper()
	nodes := startCluster(t)
	p := clusterOf(nodes)
	client := p.client()
	t.Cleanup(func() { _ = client.Close() })
	sessions := newSessions(t, client, config())
	second := p.client() // its nodes are read again for the cache alone
	t.Cleanup(func() { _ = second.Close() })
	cache := newReplica(t, second, config())
	p.fleet(t, outageLease).Share(t, 4, 4, 0, func() {
		owner := nodes[0]
		for _, node := range nodes {
			if node.client(t).DBSize(t.Context()).Val() > 0 {
				owner = node
			}
		}
		id, _ := command(t, owner.client(t), "CLUSTER", "MYID").(string)
		replica := startNode(t)
		meet(t, owner, replica)
		eventually(t, "the new node knows the owner of the login", func() bool {
			return replica.client(t).Do(t.Context(), "CLUSTER", "REPLICATE", id).Err() == nil
		})
		follows(t, owner, replica)
		for _, node := range nodes {
			eventually(t, "the nodes know the replica, which they elect", func() bool {
				known, err := node.client(t).Do(t.Context(), "CLUSTER", "REPLICAS", id).Slice()
				return err == nil && len(known) == 1
			})
		}
		all := make([]string, 64) // some of them are kept by the owner of the login
		for i := range all {
			all[i] = strconv.Itoa(i)
		}
		getAll := func() bool {
			return !slices.ContainsFunc(all, func(key string) bool {
				begin := time.Now()
				_, err := sessions.Get(t.Context(), key)
				if took := time.Since(begin); took > 10*time.Second {
					t.Errorf("a session took %v: %v", took, err)
				}
				return err != nil
			})
		}
		if cache.fetch(t.Context(), all...); !getAll() || cache.problems.Load() > 0 {
			t.Error("sessions or cache cannot be read")
		}
		lose(owner)
		begin := time.Now()
		eventually(t, "the replica is a primary", func() bool { return isPrimary(t, replica) })
		t.Logf("the replica took %v", time.Since(begin))
		for range 2 {
			before := stored(t, replica)
			eventually(t, "the login is refreshed at the new primary", func() bool { return stored(t, replica) != before })
			t.Logf("a refresh after %v", time.Since(begin))
		}
		eventually(t, "all sessions can be read", getAll)
		eventually(t, "the cache is used", func() bool {
			loads, problems := cache.loads.Load(), cache.problems.Load()
			cache.fetch(t.Context(), all...)
			return cache.loads.Load() == loads && cache.problems.Load() == problems
		})
		t.Logf("sessions and cache after %v", time.Since(begin))
	})
}

// stored returns what a node stores of the one login.
func stored(t *testing.T, s *server) (data string) {
	t.Helper()
	for _, name := range s.client(t).Keys(t.Context(), "*}").Val() {
		data += s.client(t).Get(t.Context(), name).Val()
	}
	return data
}

func isPrimary(t *testing.T, s *server) bool {
	t.Helper()
	return strings.Contains(s.client(t).Info(t.Context(), "replication").Val(), "role:master")
}

// follows returns when a replica receives what its primary writes. WAIT alone does not tell, while nothing was written.
func follows(t *testing.T, primary, replica *server) {
	t.Helper()
	eventually(t, "the replica follows", func() bool {
		info := replica.client(t).Info(t.Context(), "replication").Val()
		if !strings.Contains(info, "master_link_status:up") {
			return false
		}
		offset := func(s *server, name string) (value string) {
			for line := range strings.SplitSeq(s.client(t).Info(t.Context(), "replication").Val(), "\r\n") {
				if text, found := strings.CutPrefix(line, name+":"); found {
					value = text
				}
			}
			return value
		}
		before := offset(replica, "slave_repl_offset")
		command(t, primary.client(t), "FUNCTION", "FLUSH") // is sent to replicas, also in a Cluster
		return before != "0" && before != "" && offset(primary, "connected_slaves") != "0" && offset(replica, "slave_repl_offset") != before
	})
}

// startSentinels starts a primary with a replica, and three Sentinels that watch them.
func startSentinels(t *testing.T) (primary, replica *server, p place) {
	t.Helper()
	primary = startServer(t)
	replica = startServer(t, "--replicaof", "127.0.0.1 "+primary.port())
	follows(t, primary, replica)
	p.Master = "main"
	var sentinels []*server
	for range 3 {
		file := filepath.Join(t.TempDir(), "sentinel.conf")
		text := fmt.Sprintf("sentinel monitor main 127.0.0.1 %s 2\nsentinel down-after-milliseconds main 500\nsentinel failover-timeout main 3000\n", primary.port())
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		s := startServer(t, file, "--sentinel")
		sentinels = append(sentinels, s)
		p.Addrs = append(p.Addrs, s.Addr)
	}
	for _, s := range sentinels {
		eventually(t, "the Sentinels know each other and the replica", func() bool {
			client := s.client(t)
			others, _ := client.Do(t.Context(), "SENTINEL", "SENTINELS", "main").Slice()
			replicas, _ := client.Do(t.Context(), "SENTINEL", "REPLICAS", "main").Slice()
			return len(others) == 2 && len(replicas) == 1
		})
	}
	return primary, replica, p
}

func TestSentinel(t *testing.T) {
	t.Parallel()
	primary, replica, p := startSentinels(t)
	t.Run("promises", func(t *testing.T) { promises(t, p, "4 4 4") }) // the failover comes after it
	p.fleet(t, outageLease).Share(t, 4, 4, 10*time.Second, func() {
		time.Sleep(2 * time.Second)
		primary.kill()
		begin := time.Now()
		eventually(t, "the replica is a primary", func() bool { return isPrimary(t, replica) })
		t.Logf("the replica took %v", time.Since(begin))
	})
}
