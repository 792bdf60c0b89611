// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

// Package ping stands in for flmping, Flame's smallest client: a session, some
// tasks, a table of what became of them.
package ping

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"sync"
	"text/tabwriter"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/xflops/flame-operator/internal/flame/flamev1"
	"github.com/xflops/flame-operator/test/standin/config"
)

type options struct {
	endpoint   string
	tasks      int
	duration   int64
	resreq     string
	priority   uint
	executions bool
	input      []byte
}

// Run is the client. The client waits for executors without limit and, unlike flmping,
// fails if a task did.
func Run(ctx context.Context, arguments []string, out io.Writer) error {
	o, err := parse(arguments)
	if err != nil {
		return err
	}
	_, host, port, err := config.Endpoint(o.endpoint, config.DefaultPort)
	if err != nil {
		return err
	}
	connection, err := grpc.NewClient("passthrough:///"+net.JoinHostPort(host, strconv.Itoa(port)),
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer func() { _ = connection.Close() }()
	return o.run(ctx, flamev1.NewFrontendClient(connection), out)
}

func parse(arguments []string) (*options, error) {
	o := &options{}
	flags := flag.NewFlagSet("flmping", flag.ContinueOnError)
	flags.StringVar(&o.endpoint, "endpoint", os.Getenv("FLAME_ENDPOINT"), "the session manager, by default $FLAME_ENDPOINT")
	for _, name := range []string{"t", "task-num"} {
		flags.IntVar(&o.tasks, name, 10, "the number of tasks")
	}
	for _, name := range []string{"d", "duration"} {
		flags.Int64Var(&o.duration, name, -1, "the milliseconds that each task sleeps")
	}
	for _, name := range []string{"r", "resreq"} {
		flags.StringVar(&o.resreq, name, "", "the size of each executor, as cpu=1,mem=1g,gpu=0")
	}
	for _, name := range []string{"P", "priority"} {
		flags.UintVar(&o.priority, name, 0, "the session's priority")
	}
	flags.BoolVar(&o.executions, "count-executions", false, "add how often each task was started to the table")
	fail := flags.String("fail", "", "let each task fail with this message")
	if err := flags.Parse(arguments); err != nil {
		return nil, err
	}
	var err error
	if o.endpoint == "" {
		if o.endpoint, err = config.ClientEndpoint(""); err != nil {
			return nil, err
		}
	}
	request := map[string]any{}
	if o.duration >= 0 {
		request["duration"] = o.duration
	}
	if *fail != "" {
		request["fail"] = *fail
	}
	o.input, err = json.Marshal(request)
	return o, err
}

func (o *options) run(ctx context.Context, client flamev1.FrontendClient, out io.Writer) error {
	start := time.Now()
	spec := &flamev1.SessionSpec{Application: "flmping", BatchSize: 1, Priority: uint32(o.priority)}
	if o.resreq != "" {
		resreq, err := config.ParseResources(o.resreq)
		if err != nil {
			return err
		}
		spec.Resreq = &flamev1.ResourceRequirement{Cpu: resreq.CPU, Memory: resreq.Memory, Gpu: resreq.GPU}
	}
	id := "flmping-" + rand.Text()[:8]
	if _, err := client.CreateSession(ctx, &flamev1.CreateSessionRequest{SessionId: id, Session: spec}); err != nil {
		return fmt.Errorf("create session: %w", err)
	}
	_, _ = fmt.Fprintf(out, "Session <%s> was created in <%d ms>, start to run <%d> tasks in the session:\n\n",
		id, time.Since(start).Milliseconds(), o.tasks)
	start = time.Now()
	tasks, err := o.runTasks(ctx, client, id)
	if err != nil {
		return err
	}
	failures := o.print(tasks, out)
	_, _ = fmt.Fprintf(out, "\n\n<%d> tasks was completed in <%d ms>.\n\n", o.tasks, time.Since(start).Milliseconds())
	if _, err := client.CloseSession(ctx, &flamev1.CloseSessionRequest{SessionId: id}); err != nil {
		return fmt.Errorf("close session: %w", err)
	}
	if failures > 0 {
		return fmt.Errorf("%d of %d tasks did not succeed", failures, o.tasks)
	}
	return nil
}

func (o *options) runTasks(ctx context.Context, client flamev1.FrontendClient, session string) ([]*flamev1.Task, error) {
	tasks, failures := make([]*flamev1.Task, o.tasks), make([]error, o.tasks)
	var wait sync.WaitGroup
	for i := range tasks {
		created, err := client.CreateTask(ctx, &flamev1.CreateTaskRequest{Task: &flamev1.TaskSpec{SessionId: session, Input: o.input}})
		if err != nil {
			return nil, fmt.Errorf("create task: %w", err)
		}
		wait.Go(func() { tasks[i], failures[i] = follow(ctx, client, session, created.GetMetadata().GetId()) })
	}
	wait.Wait()
	return tasks, errors.Join(failures...)
}

// follow waits for a task's end and returns it with its history.
func follow(ctx context.Context, client flamev1.FrontendClient, session, id string) (*flamev1.Task, error) {
	stream, err := client.WatchTask(ctx, &flamev1.WatchTaskRequest{TaskId: id, SessionId: session})
	if err != nil {
		return nil, fmt.Errorf("watch task %s: %w", id, err)
	}
	for {
		if _, err := stream.Recv(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("watch task %s: %w", id, err)
		}
	}
	task, err := client.GetTask(ctx, &flamev1.GetTaskRequest{TaskId: id, SessionId: session})
	if err != nil {
		return nil, fmt.Errorf("get task %s: %w", id, err)
	}
	return task, nil
}

var states = map[flamev1.TaskState]string{
	flamev1.TaskState_TASK_STATE_PENDING:   "Pending",
	flamev1.TaskState_TASK_STATE_RUNNING:   "Running",
	flamev1.TaskState_TASK_STATE_SUCCEED:   "Succeed",
	flamev1.TaskState_TASK_STATE_FAILED:    "Failed",
	flamev1.TaskState_TASK_STATE_CANCELLED: "Cancelled",
}

// print writes the table and returns how many tasks did not succeed.
func (o *options) print(tasks []*flamev1.Task, out io.Writer) int {
	failures := 0
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	header := " Session\tTask\tState\tOutput"
	if o.executions {
		header = " Session\tTask\tState\tExecutions\tOutput"
	}
	_, _ = fmt.Fprintln(table, header)
	for _, task := range tasks {
		state := task.GetStatus().GetState()
		output, executions := message(task), 0
		for _, event := range task.GetStatus().GetEvents() {
			if event.GetCode() == int32(flamev1.TaskState_TASK_STATE_RUNNING) {
				executions++
			}
		}
		if state != flamev1.TaskState_TASK_STATE_SUCCEED {
			failures++
		}
		if o.executions {
			output = fmt.Sprintf("%d\t%s", executions, output)
		}
		_, _ = fmt.Fprintf(table, " %s\t%s\t%s\t%s\n", task.GetSpec().GetSessionId(), task.GetMetadata().GetId(), states[state], output)
	}
	_ = table.Flush()
	return failures
}

func message(task *flamev1.Task) string {
	state := int32(task.GetStatus().GetState())
	if state == int32(flamev1.TaskState_TASK_STATE_SUCCEED) {
		var output struct {
			Message string `json:"message"`
		}
		_ = json.Unmarshal(task.GetSpec().GetOutput(), &output)
		return output.Message
	}
	for _, event := range task.GetStatus().GetEvents() {
		if event.GetCode() == state {
			return fmt.Sprintf("code <%d>: %s", state, event.GetMessage())
		}
	}
	return ""
}
