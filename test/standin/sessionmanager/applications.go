// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package sessionmanager

import (
	"path/filepath"
	"regexp"
	"strings"

	"github.com/xflops/flame-operator/internal/flame/flamev1"
)

// delayRelease is an application's default: the seconds that an executor
// without a task stays with its session.
const delayRelease = 60

var applicationName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,252}$`)

func (s *State) registerApplication(name string, spec *flamev1.ApplicationSpec) error {
	if err := validApplication(name, spec); err != nil {
		return err
	}
	if s.applications[name] != nil && s.store.durable() {
		return alreadyExists("Application '%s' already exists", name)
	}
	return s.putApplication(name, spec)
}

func (s *State) updateApplication(name string, spec *flamev1.ApplicationSpec) error {
	if err := validApplication(name, spec); err != nil {
		return err
	}
	if s.applications[name] == nil {
		return notFound("Application %s not found", name)
	}
	return s.putApplication(name, spec)
}

func (s *State) putApplication(name string, spec *flamev1.ApplicationSpec) error {
	if spec.DelayRelease == nil {
		seconds := int64(delayRelease)
		spec.DelayRelease = &seconds
	}
	app := &application{Name: name, Spec: spec, Created: seconds()}
	if err := s.store.saveApplication(app); err != nil {
		return internal("%v", err)
	}
	s.applications[name] = app
	return nil
}

// unregisterApplication forgets the application's sessions too.
func (s *State) unregisterApplication(name string) error {
	if s.applications[name] == nil && s.store.durable() {
		return notFound("Application %s not found", name)
	}
	if err := s.store.deleteApplication(name); err != nil {
		return internal("%v", err)
	}
	delete(s.applications, name)
	for id, ssn := range s.sessions {
		if ssn.Application == name {
			delete(s.sessions, id)
		}
	}
	return nil
}

// registerDefaults registers the applications that come with Flame, in no
// order, and stops at the first that is there already.
func (s *State) registerDefaults() {
	defaults := map[string]*flamev1.ApplicationSpec{
		"flmping": {Command: text("${FLAME_HOME}/bin/flmping-service"), Url: text("file://${FLAME_HOME}/bin/flmping-service")},
		"flmexec": {Command: text("${FLAME_HOME}/bin/flmexec-service")},
		"flmrun":  {Command: text("${FLAME_HOME}/bin/uv"), Installer: text("python")},
	}
	for name, spec := range defaults {
		if s.do(func() error { return s.registerApplication(name, spec) }) != nil {
			return
		}
	}
}

func validApplication(name string, spec *flamev1.ApplicationSpec) error {
	if !applicationName.MatchString(name) || strings.Contains(name, "..") {
		return invalidState("invalid application name %q", name)
	}
	if dir := spec.GetWorkingDirectory(); dir != "" && !filepath.IsAbs(dir) {
		return invalidState("working_directory must be an absolute path, got: %s", dir)
	}
	return nil
}

func text(value string) *string { return &value }
