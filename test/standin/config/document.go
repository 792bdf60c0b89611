// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// text is a string that is written as one: Flame takes no number for it.
type text string

// UnmarshalYAML implements yaml.Unmarshaler.
func (t *text) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind != yaml.ScalarNode || node.ShortTag() != "!!str" {
		return fmt.Errorf("line %d: invalid type: %s, expected a string", node.Line, node.ShortTag())
	}
	*t = text(node.Value)
	return nil
}

// The documents hold every key that Flame reads, as it is written in the file.
type document struct {
	Cluster *clusterDocument `yaml:"cluster"`
	Cache   *cacheDocument   `yaml:"cache"`
}

type clusterDocument struct {
	Name             *text   `yaml:"name"`
	Endpoint         *text   `yaml:"endpoint"`
	Resreq           *text   `yaml:"resreq"`
	Policies         *[]text `yaml:"policies"`
	Storage          *text   `yaml:"storage"`
	ScheduleInterval *uint64 `yaml:"schedule_interval"`
	Executors        *struct {
		Shim   *text            `yaml:"shim"`
		Limits *executorsLimits `yaml:"limits"`
	} `yaml:"executors"`
	TLS    *tlsDocument `yaml:"tls"`
	Limits *struct {
		MaxSessions  *uint64 `yaml:"max_sessions"`
		MaxExecutors *uint32 `yaml:"max_executors"`
	} `yaml:"limits"`
	Pprof    *pprofDocument `yaml:"pprof"`
	Recovery *struct {
		Session *struct {
			RetryLimits *uint32 `yaml:"retry_limits"`
		} `yaml:"session"`
	} `yaml:"recovery"`
}

// executorsLimits is parsed and never used, as in Flame.
type executorsLimits struct {
	MaxExecutors *uint32 `yaml:"max_executors"`
}

type tlsDocument struct {
	CertFile *text `yaml:"cert_file"`
	KeyFile  *text `yaml:"key_file"`
	CAFile   *text `yaml:"ca_file"`
}

// pprofDocument is parsed only: the stand-in serves no profiles.
type pprofDocument struct {
	Port *uint16 `yaml:"port"`
}

type cacheDocument struct {
	Endpoint         *text `yaml:"endpoint"`
	NetworkInterface *text `yaml:"network_interface"`
	Storage          *text `yaml:"storage"`
	Eviction         *struct {
		Policy     *text   `yaml:"policy"`
		MaxMemory  *text   `yaml:"max_memory"`
		MaxObjects *uint64 `yaml:"max_objects"`
	} `yaml:"eviction"`
	TLS   *tlsDocument   `yaml:"tls"`
	Pprof *pprofDocument `yaml:"pprof"`
}

func (d *clusterDocument) resolve() (*Cluster, error) {
	if d.Name == nil || d.Endpoint == nil {
		return nil, fmt.Errorf("Internal(%q)", "cluster: name and endpoint are required")
	}
	cluster := &Cluster{
		Name:             string(*d.Name),
		Endpoint:         string(*d.Endpoint),
		Storage:          string(orElse(d.Storage, "sqlite://flame.db")),
		ScheduleInterval: time.Duration(orElse(d.ScheduleInterval, 100)) * time.Millisecond,
		Shim:             "host",
		RetryLimits:      5,
	}
	for _, policy := range orElse(d.Policies, []text{"priority", "drf", "gang"}) {
		cluster.Policies = append(cluster.Policies, string(policy))
	}
	if d.Limits != nil && d.Limits.MaxSessions != nil {
		limit := int(*d.Limits.MaxSessions)
		cluster.MaxSessions = &limit
	}
	if d.Recovery != nil && d.Recovery.Session != nil {
		cluster.RetryLimits = orElse(d.Recovery.Session.RetryLimits, 5)
	}
	if d.Executors != nil && d.Executors.Shim != nil {
		cluster.Shim = strings.ToLower(string(*d.Executors.Shim))
	}
	if cluster.Shim != "host" && cluster.Shim != "wasm" {
		return nil, fmt.Errorf("InvalidConfig(%q)", fmt.Sprintf("unknown shim %q", *d.Executors.Shim))
	}
	if d.Resreq != nil {
		resreq, err := ParseResources(string(*d.Resreq))
		if err != nil {
			return nil, err
		}
		cluster.Resreq = &resreq
	}
	var err error
	cluster.TLS, err = d.TLS.resolve()
	return cluster, err
}

func (d *cacheDocument) resolve() (*Cache, error) {
	cache := &Cache{
		Endpoint:         string(orElse(d.Endpoint, "http://127.0.0.1:9090")),
		NetworkInterface: string(orElse(d.NetworkInterface, "eth0")),
		Storage:          string(orElse(d.Storage, "")),
	}
	limit := text("1G")
	if d.Eviction != nil {
		limit = orElse(d.Eviction.MaxMemory, limit)
	}
	var err error
	if cache.MaxMemory, err = ParseSize(string(limit)); err != nil {
		return nil, err
	}
	cache.TLS, err = d.TLS.resolve()
	return cache, err
}

func (d *tlsDocument) resolve() (*TLS, error) {
	if d == nil {
		return nil, nil
	}
	if d.CertFile == nil || d.KeyFile == nil {
		return nil, fmt.Errorf("InvalidConfig(%q)", "tls: cert_file and key_file are required")
	}
	return &TLS{CertFile: string(*d.CertFile), KeyFile: string(*d.KeyFile), CAFile: string(orElse(d.CAFile, ""))}, nil
}
