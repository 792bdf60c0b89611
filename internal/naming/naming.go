// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

// Package naming knows the name of every object, every port and every URL of a
// Flame cluster. Nothing else in the project puts such a string together.
package naming

import "fmt"

// Ports of Flame. The session manager's backend always listens one above its
// frontend, and executor managers dial the frontend's host with that port, so a
// Service has to offer both under the same numbers.
const (
	FrontendPort int32 = 8080
	BackendPort  int32 = FrontendPort + 1
	CachePort    int32 = 9090
)

// Keys of the rendered configuration.
const (
	// ServerConfigKey is the file that Flame's servers read.
	ServerConfigKey = "flame-cluster.yaml"
	// ClientConfigKey is the file that Flame's clients read.
	ClientConfigKey = "flame.yaml"
)

// WaitContainer is the name of the init container in which an executor manager waits
// for the session manager.
const WaitContainer = "wait-for-session-manager"

// Config returns the name of the ConfigMap that holds the configuration of a cluster, and
// of the Secret if there is one.
func Config(cluster string) string { return cluster + "-config" }

// ServiceAccount returns the name of the ServiceAccount that a cluster gets when its spec
// names none.
func ServiceAccount(cluster string) string { return cluster + "-flame" }

// LastValid returns the name of the ControllerRevision that holds the last valid spec of
// a cluster, which the hash tells from others.
func LastValid(cluster, hash string) string { return cluster + "-spec-" + hash }

// SessionManager returns the name of the session manager's Pod, Service and claim.
func SessionManager(cluster string) string { return cluster + "-session-manager" }

// ObjectCache returns the name of the object cache's StatefulSet and Service.
func ObjectCache(cluster string) string { return cluster + "-object-cache" }

// ExecutorManagerPrefix returns what the names of a cluster's executor manager pods start
// with. Flame knows a node by its pod's host name, which has at most 63 characters; with
// five more and a cluster's 39 the name stays below.
func ExecutorManagerPrefix(cluster string) string { return cluster + "-executor-manager-" }

// SessionManagerHost returns the DNS name of the session manager's Service.
func SessionManagerHost(cluster, namespace string) string {
	return host(SessionManager(cluster), namespace)
}

// Endpoint returns the URL of a session manager for clients and executor managers.
func Endpoint(cluster, namespace string) string {
	return fmt.Sprintf("http://%s:%d", SessionManagerHost(cluster, namespace), FrontendPort)
}

// CacheEndpoint returns the URL of an object cache.
func CacheEndpoint(cluster, namespace string) string {
	return fmt.Sprintf("grpc://%s:%d", host(ObjectCache(cluster), namespace), CachePort)
}

func host(service, namespace string) string {
	return fmt.Sprintf("%s.%s.svc", service, namespace)
}
