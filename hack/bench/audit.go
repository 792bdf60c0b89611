// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// operatorUser is the name under which the operator reaches the API server.
const operatorUser = "flame-operator"

// auditPolicy has the API server note what the operator writes, and nothing else.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
  users: [` + operatorUser + `]
  verbs: [create, update, patch, delete, deletecollection]
- level: None
`

// auditArguments are those with which an API server writes its audit log.
func auditArguments(dir string) (map[string]string, error) {
	policy := filepath.Join(dir, "audit-policy.yaml")
	if err := os.WriteFile(policy, []byte(auditPolicy), 0o600); err != nil {
		return nil, err
	}
	return map[string]string{"audit-policy-file": policy, "audit-log-path": auditLog(dir)}, nil
}

func auditLog(dir string) string { return filepath.Join(dir, "audit.log") }

// readAudit returns what the operator wrote, but for the leases that say that it
// lives: one is renewed every two seconds.
func readAudit(log io.Reader) ([]string, error) {
	var writes []string
	for decoder := json.NewDecoder(log); ; {
		var event struct {
			User      struct{ Username string }
			Verb      string
			ObjectRef struct{ Resource, Subresource, Name string }
		}
		if err := decoder.Decode(&event); errors.Is(err, io.EOF) {
			return writes, nil
		} else if err != nil {
			return nil, fmt.Errorf("read the API server's audit log: %w", err)
		}
		object := event.ObjectRef
		if event.User.Username != operatorUser || event.Verb == "get" || object.Resource == "leases" {
			continue
		}
		resource := strings.TrimSuffix(object.Resource+"/"+object.Subresource, "/")
		writes = append(writes, strings.TrimSpace(event.Verb+" "+resource+" "+object.Name))
	}
}

// writes returns what the operator has written since the API server started.
func writes(dir string) ([]string, error) {
	log, err := os.ReadFile(auditLog(dir))
	if err != nil {
		return nil, err
	}
	// The last line may be half written.
	return readAudit(bytes.NewReader(log[:bytes.LastIndexByte(log, '\n')+1]))
}

// settle waits until the operator has written nothing for a while.
func settle(ctx context.Context, dir string, quiet, atMost time.Duration) error {
	deadline, since, before := time.Now().Add(atMost), time.Now(), -1
	for time.Since(since) < quiet {
		list, err := writes(dir)
		if err != nil {
			return err
		}
		if len(list) != before {
			before, since = len(list), time.Now()
		}
		if time.Now().After(deadline) {
			return nil // The window that follows says what is written.
		}
		if err := sleep(ctx, time.Second); err != nil {
			return err
		}
	}
	return nil
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
