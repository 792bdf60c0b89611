// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package executormanager

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"

	"github.com/xflops/flame-operator/internal/flame/flamev1"
	"github.com/xflops/flame-operator/test/standin/instance"
)

const (
	void      = flamev1.ExecutorState_EXECUTOR_STATE_VOID
	idle      = flamev1.ExecutorState_EXECUTOR_STATE_IDLE
	binding   = flamev1.ExecutorState_EXECUTOR_STATE_BINDING
	bound     = flamev1.ExecutorState_EXECUTOR_STATE_BOUND
	unbinding = flamev1.ExecutorState_EXECUTOR_STATE_UNBINDING
	releasing = flamev1.ExecutorState_EXECUTOR_STATE_RELEASING
	released  = flamev1.ExecutorState_EXECUTOR_STATE_RELEASED
)

// Return codes of a binding that failed.
const (
	installFailed = 10
	startFailed   = 11
)

// spin is what a round that fails takes at least. Flame has no pause there and
// makes some 400 rounds a second; without one the stand-in would make many more.
const spin = 2 * time.Millisecond

// executor is a slot with its own life: state by state, until it is released.
// A step that fails is tried again at once, forever.
type executor struct {
	*manager
	id   string
	spec *flamev1.ExecutorSpec

	mu      sync.Mutex
	state   flamev1.ExecutorState
	session string

	process *instance.Process
}

func (e *executor) live() {
	for {
		state := e.current()
		if state == released {
			e.log.Infof("executor", "Executor <%s> is released, exit.", e.id)
			return
		}
		if err := e.step(context.Background(), state); err != nil {
			e.log.Errorf("executor", "Failed to execute executor state executor_id=%s node=%s state=%s error=%v", e.id, e.node, state, err)
			time.Sleep(spin)
		}
	}
}

func (e *executor) step(ctx context.Context, state flamev1.ExecutorState) error {
	switch state {
	case void:
		return e.register(ctx)
	case idle:
		return e.bind(ctx)
	case binding:
		e.log.Warnf("states::binding", "Executor <%s> received in Binding state, resetting to Idle", e.id)
		e.become(idle, "")
		return nil
	case bound:
		return e.work(ctx)
	case unbinding:
		return e.unbind(ctx)
	case releasing:
		_, err := e.backend.UnregisterExecutor(ctx, &flamev1.UnregisterExecutorRequest{ExecutorId: e.id})
		if err == nil {
			e.become(released, "")
		}
		return err
	default:
		return errors.New("executor is unknown")
	}
}

func (e *executor) register(ctx context.Context) error {
	_, err := e.backend.RegisterExecutor(ctx, &flamev1.RegisterExecutorRequest{ExecutorId: e.id, ExecutorSpec: e.spec})
	if err == nil {
		e.become(idle, "")
	}
	return err
}

// bind waits for a session and starts an instance for it.
func (e *executor) bind(ctx context.Context) error {
	promised, err := e.backend.BindExecutor(ctx, &flamev1.BindExecutorRequest{ExecutorId: e.id})
	if err != nil {
		return err
	}
	if promised.GetSession() == nil {
		e.become(releasing, "")
		return nil
	}
	session := promised.GetSession().GetMetadata().GetId()
	process, result := e.start(promised.GetApplication())
	if _, err := e.backend.BindExecutorCompleted(ctx, &flamev1.BindExecutorCompletedRequest{ExecutorId: e.id, Result: result}); err != nil {
		if process != nil {
			process.Stop()
		}
		return err
	}
	e.run(process)
	if result.GetReturnCode() != 0 {
		e.log.Warnf("states::idle", "Executor <%s> failed to bind session <%s>: %s", e.id, session, result.GetMessage())
		e.become(unbinding, session)
		return nil
	}
	e.become(bound, session)
	return nil
}

func (e *executor) start(app *flamev1.Application) (*instance.Process, *flamev1.Result) {
	refuse := func(code int32, message string) (*instance.Process, *flamev1.Result) {
		return nil, &flamev1.Result{ReturnCode: code, Message: &message}
	}
	if app.GetSpec().Installer != nil && app.GetSpec().Url != nil {
		return refuse(installFailed, "application installation failed: the stand-in installs nothing")
	}
	if e.file.Cluster.Shim != "host" {
		return refuse(startFailed, "shim creation failed: WASM shim is not enabled")
	}
	process, err := instance.Start(e.id, app, e.environment())
	if err != nil {
		return refuse(startFailed, "shim creation failed: "+err.Error())
	}
	return process, &flamev1.Result{}
}

func (e *executor) environment() map[string]string {
	level := os.Getenv("RUST_LOG")
	if level == "" {
		level = "info"
	}
	environment := map[string]string{
		"RUST_LOG":       level,
		"FLAME_LOG":      level,
		"FLAME_ENDPOINT": e.file.Cluster.Endpoint,
	}
	if e.file.Cluster.TLS != nil && e.file.Cluster.TLS.CAFile != "" {
		environment["FLAME_CA_FILE"] = e.file.Cluster.TLS.CAFile
	}
	if e.file.Cache != nil {
		environment["FLAME_CACHE_ENDPOINT"] = e.file.Cache.Endpoint
	}
	return environment
}

// work runs one task. An executor that was sent here as Bound has no instance:
// it asks, gets its task, fails, and asks again.
func (e *executor) work(ctx context.Context) error {
	launched, err := e.backend.LaunchTask(ctx, &flamev1.LaunchTaskRequest{ExecutorId: e.id})
	if err != nil {
		return err
	}
	task := launched.GetTask()
	if task == nil {
		e.become(unbinding, e.session)
		return nil
	}
	if e.process == nil {
		return errors.New("InvalidState: no shim instance in bound state")
	}
	result := &flamev1.TaskResult{}
	answer, err := e.process.Invoke(instance.Call{
		Session: task.GetSpec().GetSessionId(),
		Task:    task.GetMetadata().GetId(),
		Input:   task.GetSpec().GetInput(),
	})
	switch {
	case err != nil:
		message := err.Error()
		result.ReturnCode, result.Message = -1, &message
	case answer.Error != "":
		result.ReturnCode, result.Message = -1, &answer.Error
	default:
		result.Output = answer.Output
	}
	if result.GetReturnCode() != 0 {
		e.log.Errorf("states::bound", "Task <%s/%s> failed on executor <%s>: %s",
			task.GetSpec().GetSessionId(), task.GetMetadata().GetId(), e.id, result.GetMessage())
	}
	_, err = e.backend.CompleteTask(ctx, &flamev1.CompleteTaskRequest{ExecutorId: e.id, TaskResult: result})
	return err
}

// unbind leaves the session; the instance is asked to end after that.
func (e *executor) unbind(ctx context.Context) error {
	if _, err := e.backend.UnbindExecutor(ctx, &flamev1.UnbindExecutorRequest{ExecutorId: e.id}); err != nil {
		return err
	}
	if e.process != nil && !e.process.Alive() {
		return errors.New("leave session: the instance has ended")
	}
	if _, err := e.backend.UnbindExecutorCompleted(ctx, &flamev1.UnbindExecutorCompletedRequest{ExecutorId: e.id}); err != nil {
		return err
	}
	if process := e.process; process != nil {
		e.run(nil)
		process.Stop()
	}
	e.become(idle, "")
	return nil
}

func (e *executor) current() flamev1.ExecutorState {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.state
}

func (e *executor) become(state flamev1.ExecutorState, session string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.state, e.session = state, session
}

// run sets the instance, which only the executor itself does.
func (e *executor) run(process *instance.Process) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.process = process
}

func (e *executor) instance() *instance.Process {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.process
}

func (e *executor) proto() *flamev1.Executor {
	e.mu.Lock()
	defer e.mu.Unlock()
	status := &flamev1.ExecutorStatus{State: e.state}
	if e.session != "" {
		session := e.session
		status.SessionId = &session
	}
	return &flamev1.Executor{Metadata: &flamev1.Metadata{Id: e.id, Name: e.id}, Spec: e.spec, Status: status}
}
