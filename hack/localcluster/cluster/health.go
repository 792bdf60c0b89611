// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/xflops/flame-operator/hack/localcluster/node"
	"github.com/xflops/flame-operator/hack/localcluster/setup"
)

// kubectl runs it against the cluster and returns what it prints.
func (c *Cluster) kubectl(ctx context.Context, input []byte, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(c.dir, "bin", "kubectl"), append([]string{"--kubeconfig", c.Kubeconfig()}, args...)...)
	cmd.Stdin = bytes.NewReader(input)
	var out, messages bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &messages
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("kubectl %s: %w: %s", strings.Join(args, " "), err, lastLines(messages.String(), 3))
	}
	return out.String(), nil
}

// check returns nil if the cluster is well: every component, the node and DNS.
func (c *Cluster) check(ctx context.Context, process node.Process) error {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	if err := c.checkComponents(); err != nil {
		return err
	}
	ready, err := c.kubectl(ctx, nil, "get", "node", setup.NodeName,
		"-o", `jsonpath={.status.conditions[?(@.type=="Ready")].status}`)
	if err != nil {
		return err
	}
	if ready != "True" {
		return errors.New("the node is not Ready")
	}
	return c.checkDNS(ctx, process)
}

func (c *Cluster) checkComponents() error {
	state, err := node.ReadState(c.dir)
	if err != nil {
		return err
	}
	if state.Problem != "" {
		return fmt.Errorf("the node cannot start: %s", state.Problem)
	}
	for _, component := range state.Components {
		if !component.Ready {
			return &componentError{name: component.Name, log: c.logOf(component.Name)}
		}
	}
	return nil
}

// checkDNS asks the cluster's DNS for the API server, through its Service, as a pod would.
func (c *Cluster) checkDNS(ctx context.Context, process node.Process) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	resolver := net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return process.Dial(ctx, network, net.JoinHostPort(setup.DNSIP, "53"))
	}}
	name := "kubernetes.default.svc." + setup.Domain + "."
	found, err := resolver.LookupHost(ctx, name)
	if err != nil {
		return fmt.Errorf("ask cluster DNS for %s: %w", name, err)
	}
	if len(found) != 1 || found[0] != setup.APIServerIP {
		return fmt.Errorf("cluster DNS says that %s is %v", name, found)
	}
	return nil
}

// componentError says that a component is not ready, and where to look.
type componentError struct{ name, log string }

func (e *componentError) Error() string {
	tail := "(it wrote nothing)"
	if content, err := os.ReadFile(e.log); err == nil && len(content) > 0 {
		tail = lastLines(string(content), 15)
	}
	return fmt.Sprintf("%s is not ready; the end of %s:\n%s", e.name, e.log, tail)
}

func (c *Cluster) logOf(component string) string {
	return filepath.Join(c.dir, node.LogDir, component+".log")
}

// wait calls check until it returns nil, and says every few seconds what it waits for.
// After patience, or when the node dies, wait fails with check's last error.
func (c *Cluster) wait(ctx context.Context, process node.Process, what string, patience time.Duration, check func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	started := time.Now()
	for next := 10 * time.Second; ; {
		err := check(ctx)
		if err == nil {
			return nil
		}
		if !process.Alive() {
			return &componentError{name: "node", log: c.logOf("node")}
		}
		if waited := time.Since(started); waited > next {
			c.say("  still waiting for %s, %.0f s of %.0f s", what, waited.Seconds(), patience.Seconds())
			next += 10 * time.Second
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s did not come within %s: %w", what, patience, err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}
