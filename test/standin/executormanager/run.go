// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

// Package executormanager stands in for flame-executor-manager: it registers its
// host as a node and runs an instance for each executor that it is sent.
package executormanager

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"sync"

	"github.com/xflops/flame-operator/internal/flame/flamev1"
	"github.com/xflops/flame-operator/test/standin/capacity"
	"github.com/xflops/flame-operator/test/standin/config"
	"github.com/xflops/flame-operator/test/standin/host"
	"github.com/xflops/flame-operator/test/standin/instance"
	"github.com/xflops/flame-operator/test/standin/journal"
)

// manager is the executor manager of one node.
type manager struct {
	log      *journal.Log
	file     *config.File
	backend  flamev1.BackendClient
	node     string
	capacity config.Resources

	mu        sync.Mutex
	executors map[string]*executor
}

// Run is the executor manager. Run returns only if it could not start: once connected,
// the executor manager never ends by itself.
func Run(ctx context.Context, file *config.File, log *journal.Log) error {
	log.Infof("", "flame-executor-manager is starting ...")
	if err := os.MkdirAll("/tmp/flame/shim", 0o755); err != nil {
		return fmt.Errorf("create shim directory: %w", err)
	}
	channel, err := newChannel(file.Cluster)
	if err != nil {
		return err
	}
	log.Infof("client", "Connecting to flame backend at %s", channel.target)
	if err := channel.connect(ctx); err != nil {
		return err
	}
	m := &manager{
		log:       log,
		file:      file,
		backend:   channel.backend(),
		node:      host.Name(),
		capacity:  capacity.Detect(),
		executors: map[string]*executor{},
	}
	log.Infof("manager", "Starting executor manager in streaming mode with shim <%s>", file.Cluster.Shim)
	m.keepStream(ctx)
	return ctx.Err()
}

// status is what the node says of itself. The CPUs are those of the start.
func (m *manager) status() *flamev1.NodeStatus {
	has := &flamev1.ResourceRequirement{Cpu: m.capacity.CPU, Memory: m.capacity.Memory, Gpu: m.capacity.GPU}
	arch := map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[runtime.GOARCH]
	return &flamev1.NodeStatus{
		State:       flamev1.NodeState_NODE_STATE_READY,
		Capacity:    has,
		Allocatable: has,
		Info:        &flamev1.NodeInfo{Arch: arch, Os: runtime.GOOS},
	}
}

// reported is every executor that this process ever had and was not told to
// forget, as it is now. Flame keeps the instances of what it reports, whatever becomes of
// the executors, until the stream ends: release lets them go.
func (m *manager) reported() (list []*flamev1.Executor, release func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var held []*instance.Process
	for _, e := range m.executors {
		list = append(list, e.proto())
		if process := e.instance(); process != nil {
			process.Hold()
			held = append(held, process)
		}
	}
	return list, func() {
		for _, process := range held {
			process.Stop()
		}
	}
}

// update starts an executor that is new, in whatever state it comes. An executor that is
// known goes its own way; Released only takes it out of the list.
func (m *manager) update(sent *flamev1.Executor) {
	m.mu.Lock()
	defer m.mu.Unlock()
	id, state := sent.GetMetadata().GetId(), sent.GetStatus().GetState()
	if state == released {
		m.log.Infof("manager", "Removing executor <%s> from map", id)
		delete(m.executors, id)
		return
	}
	if m.executors[id] != nil {
		return
	}
	m.log.Infof("manager", "Creating executor <%s> (state=%s)", id, state)
	e := &executor{manager: m, id: id, spec: sent.GetSpec(), state: state}
	m.executors[id] = e
	go e.live()
}
