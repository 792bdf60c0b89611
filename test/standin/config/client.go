// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"os"

	"go.yaml.in/yaml/v3"
)

// DefaultClientPath is where Flame's clients look, whatever HOME is.
const DefaultClientPath = "/root/.flame/flame.yaml"

type clientDocument struct {
	CurrentContext *text `yaml:"current-context"`
	Contexts       []struct {
		Name    *text `yaml:"name"`
		Cluster *struct {
			Endpoint *text `yaml:"endpoint"`
		} `yaml:"cluster"`
	} `yaml:"contexts"`
}

// ClientEndpoint returns the session manager of a client configuration's current
// context.
func ClientEndpoint(path string) (string, error) {
	if path == "" {
		path = DefaultClientPath
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("InvalidConfig(%q)", fmt.Sprintf("<%s> is not a file", path))
	}
	var read clientDocument
	if err := yaml.Unmarshal(content, &read); err != nil {
		return "", fmt.Errorf("Internal(%q)", err.Error())
	}
	for _, c := range read.Contexts {
		if c.Name == nil || c.Cluster == nil || c.Cluster.Endpoint == nil {
			return "", fmt.Errorf("Internal(%q)", "contexts: name and cluster.endpoint are required")
		}
		if read.CurrentContext != nil && *c.Name == *read.CurrentContext {
			return string(*c.Cluster.Endpoint), nil
		}
	}
	return "", fmt.Errorf("InvalidConfig(%q)", "current context is not found")
}
