// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

// Package instance is the process that runs an application's tasks, a child of an
// executor manager, and the executor manager's end of the socket between them. The
// protocol is the stand-in's own: a JSON value for each task and one for its result.
package instance

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/xflops/flame-operator/test/standin/host"
)

// SocketVariable names the socket that an instance listens on.
const SocketVariable = "FLAME_INSTANCE_ENDPOINT"

// Call is a task for an instance.
type Call struct {
	Session string `json:"session"`
	Task    string `json:"task"`
	Input   []byte `json:"input"`
}

// Answer is a task's result.
type Answer struct {
	Output []byte `json:"output"`
	Error  string `json:"error,omitempty"`
}

// ping is a task of the application flmping.
type ping struct {
	// Duration is in milliseconds.
	Duration *uint64 `json:"duration"`
	Memory   *uint64 `json:"memory"`
	// Fail and Exit are not Flame's: a test asks for a task that fails, or for
	// one that takes its instance along.
	Fail string `json:"fail"`
	Exit bool   `json:"exit"`
}

// Run serves flmping's tasks until the process is killed. A connection has one task at a
// time; there is a second connection if Flame finds the socket of an instance that it
// should have ended.
func Run() error {
	path := os.Getenv(SocketVariable)
	if path == "" {
		return errors.New(SocketVariable + " is not set")
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	ended := make(chan error)
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				ended <- fmt.Errorf("accept: %w", err)
			}
			go func() {
				if err := serve(connection); !errors.Is(err, io.EOF) {
					ended <- err
				}
			}()
		}
	}()
	return <-ended
}

// serve returns why the connection ended.
func serve(connection net.Conn) error {
	calls, answers := json.NewDecoder(connection), json.NewEncoder(connection)
	for {
		var call Call
		if err := calls.Decode(&call); err != nil {
			return err
		}
		if err := answers.Encode(run(call)); err != nil {
			return err
		}
	}
}

func run(call Call) Answer {
	var request ping
	if len(call.Input) > 0 {
		if err := json.Unmarshal(call.Input, &request); err != nil {
			return Answer{Error: fmt.Sprintf("invalid input: %v", err)}
		}
	}
	if request.Exit {
		os.Exit(1)
	}
	if request.Fail != "" {
		return Answer{Error: request.Fail}
	}
	var memory []byte
	if request.Memory != nil {
		memory = make([]byte, *request.Memory)
	}
	start := time.Now()
	if request.Duration != nil {
		time.Sleep(time.Duration(*request.Duration) * time.Millisecond)
	}
	message := fmt.Sprintf("Completed on <%s> in <%d> milliseconds with <%d> memory", host.Name(), time.Since(start).Milliseconds(), len(memory))
	var output bytes.Buffer
	text := json.NewEncoder(&output)
	text.SetEscapeHTML(false)
	if err := text.Encode(map[string]string{"message": message}); err != nil {
		return Answer{Error: err.Error()}
	}
	return Answer{Output: bytes.TrimSpace(output.Bytes())}
}
