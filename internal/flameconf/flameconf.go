// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

// Package flameconf renders the configuration that Flame reads: typed structs
// to bytes, for every supported version.
//
// Flame ignores unknown keys without a word, so a misspelt key is a lost setting. The
// structs here hold exactly the keys that Flame reads, and their golden files are checked
// against that list.
package flameconf

import (
	"fmt"
	"regexp"

	"sigs.k8s.io/yaml"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/naming"
)

// Directories that hold what Flame's servers keep.
const (
	// StateDir is where the session manager's volume is mounted.
	StateDir = "/var/lib/flame"
	// ObjectsDir is where the object cache's volume is mounted.
	ObjectsDir = "/var/lib/flame/cache"
)

// Server is the content of flame-cluster.yaml.
type Server struct {
	Cluster Cluster `json:"cluster"`
	Cache   *Cache  `json:"cache,omitempty"`
}

// Cluster is what the session manager and the executor managers read.
type Cluster struct {
	Name     string   `json:"name"`
	Endpoint string   `json:"endpoint"`
	ResReq   string   `json:"resreq"`
	Policies []string `json:"policies"`
	// Storage is empty where the reader must not know it.
	Storage          string    `json:"storage,omitempty"`
	ScheduleInterval int32     `json:"schedule_interval"`
	Executors        Executors `json:"executors"`
	Limits           Limits    `json:"limits"`
	Recovery         Recovery  `json:"recovery"`
}

// Executors is what executor managers read.
type Executors struct {
	Shim string `json:"shim"`
}

// Limits bounds what the session manager keeps.
//
// Flame workaround: max-sessions
type Limits struct {
	MaxSessions int32 `json:"max_sessions"`
}

// Recovery says when the session manager gives a session up.
type Recovery struct {
	Session SessionRecovery `json:"session"`
}

// SessionRecovery says when the session manager gives a session up.
type SessionRecovery struct {
	RetryLimits int32 `json:"retry_limits"`
}

// Cache is what the object cache reads. Executor managers read only its endpoint.
type Cache struct {
	Endpoint         string   `json:"endpoint"`
	NetworkInterface string   `json:"network_interface"`
	Storage          string   `json:"storage"`
	Eviction         Eviction `json:"eviction"`
}

// Eviction says when objects leave the cache's memory. MaxMemory is in bytes.
type Eviction struct {
	Policy     string `json:"policy"`
	MaxMemory  string `json:"max_memory"`
	MaxObjects *int64 `json:"max_objects,omitempty"`
}

// Client is the content of flame.yaml.
type Client struct {
	CurrentContext string    `json:"current-context"`
	Contexts       []Context `json:"contexts"`
}

// Context is one cluster that a client knows.
type Context struct {
	Name    string    `json:"name"`
	Cluster Endpoint  `json:"cluster"`
	Cache   *Endpoint `json:"cache,omitempty"`
}

// Endpoint is the address of a server.
type Endpoint struct {
	Endpoint string `json:"endpoint"`
}

// ForServers returns the configuration of a cluster's servers. storage is the
// session manager's storage URI, or empty where it is kept from the reader.
func ForServers(cluster *flamev1alpha1.FlameCluster, version Version, storage string) Server {
	sessionManager := cluster.Spec.SessionManager
	return Server{
		Cluster: Cluster{
			Name:             cluster.Name,
			Endpoint:         naming.Endpoint(cluster.Name, cluster.Namespace),
			ResReq:           resreq(sessionManager.Slot),
			Policies:         version.policies(sessionManager.Policy),
			Storage:          storage,
			ScheduleInterval: sessionManager.ScheduleIntervalMilliseconds,
			Executors:        Executors{Shim: string(cluster.Spec.ExecutorManager.Shim)},
			Limits:           Limits{MaxSessions: sessionManager.MaxSessions},
			Recovery:         Recovery{Session: SessionRecovery{RetryLimits: sessionManager.SessionRetryLimit}},
		},
		Cache: cache(cluster),
	}
}

// ForClients returns the configuration of a cluster's clients.
func ForClients(cluster *flamev1alpha1.FlameCluster) Client {
	context := Context{
		Name:    cluster.Name,
		Cluster: Endpoint{Endpoint: naming.Endpoint(cluster.Name, cluster.Namespace)},
	}
	if cluster.Spec.ObjectCache != nil {
		context.Cache = &Endpoint{Endpoint: naming.CacheEndpoint(cluster.Name, cluster.Namespace)}
	}
	return Client{CurrentContext: cluster.Name, Contexts: []Context{context}}
}

// StorageURI returns the URI for a type of storage.
func StorageURI(storage flamev1alpha1.StorageType) string {
	switch storage {
	case flamev1alpha1.StorageNone:
		return "none"
	case flamev1alpha1.StorageSQLite:
		return "sqlite://" + StateDir + "/flame.db"
	default:
		return "fs://" + StateDir + "/session"
	}
}

// Render writes a configuration as Flame's YAML.
func Render(config any) (string, error) {
	text, err := yaml.Marshal(config)
	if err != nil {
		return "", fmt.Errorf("render Flame's configuration: %w", err)
	}
	return string(text), nil
}

// ReadBySessionManager returns the part that the session manager acts on.
func (s Server) ReadBySessionManager() any {
	part := s.Cluster
	part.Name, part.Executors = "", Executors{}
	return part
}

// ReadByExecutorManager returns the part that executor managers act on.
func (s Server) ReadByExecutorManager() any {
	part := struct {
		Endpoint, CacheEndpoint string
		Executors               Executors
	}{Endpoint: s.Cluster.Endpoint, Executors: s.Cluster.Executors}
	if s.Cache != nil {
		part.CacheEndpoint = s.Cache.Endpoint
	}
	return part
}

// ReadByObjectCache returns the part that the object cache acts on.
func (s Server) ReadByObjectCache() any { return s.Cache }

// resreq writes a slot in Flame's grammar. Memory is in bytes, since Flame reads
// every unit as a binary one.
//
// Flame workaround: resreq-bytes
func resreq(slot flamev1alpha1.Slot) string {
	return fmt.Sprintf("cpu=%d,mem=%d,gpu=%d", slot.CPU.Value(), slot.Memory.Value(), slot.GPU.Value())
}

func cache(cluster *flamev1alpha1.FlameCluster) *Cache {
	spec := cluster.Spec.ObjectCache
	if spec == nil {
		return nil
	}
	maxMemory := CacheMemory(spec)
	return &Cache{
		Endpoint: naming.CacheEndpoint(cluster.Name, cluster.Namespace),
		// Flame workaround: anchored-interface
		// Flame takes a regular expression that may match anywhere in a name.
		NetworkInterface: "^" + regexp.QuoteMeta(spec.NetworkInterface) + "$",
		Storage:          "fs://" + ObjectsDir,
		Eviction: Eviction{
			Policy:     string(spec.Eviction.Policy),
			MaxMemory:  fmt.Sprint(maxMemory.Value()),
			MaxObjects: spec.Eviction.MaxObjects,
		},
	}
}

// StorageOf returns the session manager's storage URI in a rendered configuration, and
// nothing if there is none.
func StorageOf(rendered []byte) string {
	var server Server
	if yaml.Unmarshal(rendered, &server) != nil {
		return ""
	}
	return server.Cluster.Storage
}
