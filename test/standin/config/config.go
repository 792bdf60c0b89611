// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

// Package config reads flame-cluster.yaml under Flame's rules: unknown keys are
// ignored, what is missing has Flame's defaults, and what one component cannot
// parse no component accepts.
package config

import (
	"fmt"
	"os"
	"time"

	"go.yaml.in/yaml/v3"
)

// DefaultPath is where Flame looks without --config, whatever HOME is.
const DefaultPath = "/root/.flame/flame-cluster.yaml"

// Resources is an amount of resources.
type Resources struct {
	CPU    uint64 `json:"cpu"`
	Memory uint64 `json:"memory"`
	GPU    int32  `json:"gpu"`
}

// Cluster is what the session manager and the executor managers read.
type Cluster struct {
	Name             string
	Endpoint         string
	Resreq           *Resources
	Policies         []string
	Storage          string
	ScheduleInterval time.Duration
	Shim             string
	MaxSessions      *int
	RetryLimits      uint32
	TLS              *TLS
}

// TLS names the files of one side.
type TLS struct {
	CertFile, KeyFile, CAFile string
}

// Cache is what the object cache reads.
type Cache struct {
	Endpoint         string
	NetworkInterface string
	Storage          string
	MaxMemory        uint64
	TLS              *TLS
}

// File is a whole configuration.
type File struct {
	Cluster Cluster
	Cache   *Cache
}

// Load reads the file that --config names, or the default one.
func Load(path string) (*File, error) {
	if path == "" {
		path = DefaultPath
	}
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return nil, fmt.Errorf("InvalidConfig(%q)", fmt.Sprintf("<%s> is not a file", path))
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("Internal(%q)", err.Error())
	}
	return parse(content)
}

func parse(content []byte) (*File, error) {
	var read document
	if err := yaml.Unmarshal(content, &read); err != nil {
		return nil, fmt.Errorf("Internal(%q)", err.Error())
	}
	if read.Cluster == nil {
		return nil, fmt.Errorf("Internal(%q)", "missing field `cluster`")
	}
	cluster, err := read.Cluster.resolve()
	if err != nil {
		return nil, err
	}
	file := &File{Cluster: *cluster}
	if read.Cache != nil {
		if file.Cache, err = read.Cache.resolve(); err != nil {
			return nil, err
		}
	}
	return file, nil
}

func orElse[T any](value *T, otherwise T) T {
	if value == nil {
		return otherwise
	}
	return *value
}
