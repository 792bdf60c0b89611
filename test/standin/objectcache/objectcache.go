// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

// Package objectcache stands in for flame-object-cache as far as an operator sees it:
// where it listens, what it reads at the start and what ends it. The stand-in serves no
// objects.
package objectcache

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/xflops/flame-operator/test/standin/config"
	"github.com/xflops/flame-operator/test/standin/journal"
)

const defaultPort = 9090

// Run is the object cache. The cache listens on the address of the interface that the
// configuration names, never on all, so nothing answers on localhost.
func Run(ctx context.Context, file *config.File, log *journal.Log) error {
	cache := file.Cache
	if cache == nil {
		return errors.New("cache configuration not found in config file")
	}
	log.Infof("", "Starting flame-object-cache server")
	scheme, _, port, err := config.Endpoint(cache.Endpoint, defaultPort)
	if err != nil {
		return err
	}
	host, err := address(cache.NetworkInterface)
	if err != nil {
		return err
	}
	if err := load(cache.Storage); err != nil {
		return err
	}
	log.Infof("eviction", "Creating LRU eviction policy: max_memory=%.1f MB", float64(maxMemory(cache))/1e6)
	var options []grpc.ServerOption
	if scheme == "grpcs" {
		if cache.TLS == nil {
			return fmt.Errorf("InvalidConfig(%q)", "cache endpoint uses grpcs:// but cache.tls is not configured")
		}
		tls, err := credentials.NewServerTLSFromFile(cache.TLS.CertFile, cache.TLS.KeyFile)
		if err != nil {
			return fmt.Errorf("InvalidConfig(%q)", err.Error())
		}
		options = append(options, grpc.Creds(tls))
	}
	listener, err := net.Listen("tcp4", net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		return fmt.Errorf("Internal(%q)", err.Error())
	}
	log.Infof("cache", "Starting Arrow Flight cache server at %s", listener.Addr())
	server := grpc.NewServer(options...)
	context.AfterFunc(ctx, server.Stop)
	return server.Serve(listener)
}

// address is the first IPv4 address of the first interface whose name the
// expression matches anywhere.
func address(expression string) (string, error) {
	pattern, err := regexp.Compile(expression)
	if err != nil {
		return "", fmt.Errorf("InvalidConfig(%q)", err.Error())
	}
	interfaces, err := net.Interfaces()
	if err != nil {
		return "", fmt.Errorf("Network(%q)", err.Error())
	}
	for _, candidate := range interfaces {
		if !pattern.MatchString(candidate.Name) {
			continue
		}
		addresses, err := candidate.Addrs()
		if err != nil {
			return "", fmt.Errorf("Network(%q)", err.Error())
		}
		for _, a := range addresses {
			if network, ok := a.(*net.IPNet); ok && network.IP.To4() != nil {
				return network.IP.String(), nil
			}
		}
		return "", fmt.Errorf("InvalidConfig(%q)", fmt.Sprintf("network interface <%s> has no IPv4 addresses", expression))
	}
	return "", fmt.Errorf("InvalidConfig(%q)", fmt.Sprintf("network interface <%s> not found", expression))
}

// maxMemory returns the memory that objects may take: by the environment, where an amount
// without sense is one gibibyte, and else by the configuration.
func maxMemory(cache *config.Cache) uint64 {
	override, set := os.LookupEnv("FLAME_CACHE_MAX_MEMORY")
	if !set {
		return cache.MaxMemory
	}
	size, err := config.ParseSize(override)
	if err != nil {
		return 1 << 30
	}
	return size
}

// load makes the directory and reads all of it: application, session, object.
// A directory that is not its own ends the start.
func load(storage string) error {
	if override := os.Getenv("FLAME_CACHE_STORAGE"); override != "" {
		storage = override
	}
	if storage == "" || storage == "none" {
		return nil
	}
	for _, scheme := range []string{"fs://", "file://"} {
		path, found := strings.CutPrefix(storage, scheme)
		if !found {
			continue
		}
		if storage = path; !filepath.IsAbs(path) {
			home := os.Getenv("FLAME_HOME")
			if home == "" {
				home = "/var/lib/flame"
			}
			storage = filepath.Join(home, path)
		}
		break
	}
	if err := os.MkdirAll(storage, 0o755); err != nil {
		return fmt.Errorf("create cache storage: %w", err)
	}
	return readAll(storage, 3)
}

func readAll(dir string, depth int) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("load cache storage: %w", err)
	}
	for _, entry := range entries {
		path := filepath.Join(dir, entry.Name())
		switch {
		case entry.IsDir() && depth > 1:
			if err := readAll(path, depth-1); err != nil {
				return err
			}
		case !entry.IsDir() && depth == 1 && filepath.Ext(path) == ".arrow":
			if _, err := os.ReadFile(path); err != nil {
				return fmt.Errorf("load cache storage: %w", err)
			}
		}
	}
	return nil
}
