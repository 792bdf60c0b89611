// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package flame

import (
	"regexp"
	"strings"
	"time"

	"github.com/xflops/flame-operator/internal/flame/flamev1"
	"github.com/xflops/flame-operator/internal/flame/observation"
)

// Codes of a session's events.
const (
	bindFailed        = 1001
	retryLimitReached = 1002
)

func readSession(m *message) (observation.Session, error) {
	s, last := observation.Session{Open: true, BatchSize: 1}, bindFailure{}
	err := m.each(func(f *field) (err error) {
		switch f.number {
		case 1:
			s.ID, err = named(&f.message, byID)
		case 2:
			err = readSessionSpec(&f.message, &s)
		case 3:
			err = readSessionStatus(&f.message, &s, &last)
		}
		return err
	})
	if err == nil && s.ID == "" {
		err = errUnreadable
	}
	if !s.BlockedAt.IsZero() {
		s.BlockedWhy = last.why()
	}
	return s, err
}

func readSessionSpec(m *message, s *observation.Session) error {
	return m.each(func(f *field) error {
		switch f.number {
		case 2:
			s.Application = f.text()
		case 5:
			s.MinInstances = int(uint32(f.value))
		case 6:
			maximum := int(uint32(f.value))
			s.MaxInstances = &maximum
		case 7:
			s.BatchSize = max(1, int(uint32(f.value)))
		case 8:
			s.Priority = int(uint32(f.value))
		case 9:
			size, err := readResources(&f.message)
			s.Resreq = &size
			return err
		}
		return nil
	})
}

func readSessionStatus(m *message, s *observation.Session, last *bindFailure) error {
	return m.each(func(f *field) error {
		switch f.number {
		case 1:
			s.Open = flamev1.SessionState(f.value) == flamev1.SessionState_SESSION_STATE_OPEN
		case 2:
			s.CreatedAt = timeOf(int64(f.value))
		case 4:
			s.Pending = int(int32(f.value))
		case 5:
			s.Running = int(int32(f.value))
		case 6:
			s.Succeeded = int(int32(f.value))
		case 7:
			s.Failed = int(int32(f.value))
		case 8:
			return readEvent(&f.message, s, last)
		case 9:
			s.Cancelled = int(int32(f.value))
		}
		return nil
	})
}

// bindFailure is the newest of a session's bindings that failed.
type bindFailure struct {
	at time.Time
	// said is the beginning of what Flame said of it. spare is room for another text, so
	// that a session with millions of events takes no more than one with two.
	said, spare []byte
}

// read reads the text of an event into the spare room.
func (b *bindFailure) read(f *field) []byte {
	if b.spare == nil {
		b.spare = make([]byte, reasonSize)
	}
	return f.fill(b.spare)
}

// replace makes an event the newest, unless it is older.
func (b *bindFailure) replace(at time.Time, text []byte) {
	if at.Before(b.at) {
		return
	}
	if text != nil {
		b.spare = b.said[:cap(b.said)]
	}
	b.at, b.said = at, text
}

func readEvent(m *message, s *observation.Session, last *bindFailure) error {
	code, at, text := int32(0), time.Time{}, []byte(nil)
	err := m.each(func(f *field) error {
		switch f.number {
		case 1:
			code = int32(f.value)
		case 2:
			text = last.read(f)
		case 3:
			at = timeOf(int64(f.value))
		}
		return nil
	})
	switch {
	case code == bindFailed:
		s.BindFailures++
		last.replace(at, text)
	case code == retryLimitReached && at.After(s.BlockedAt):
		s.BlockedAt = at
	}
	return err
}

var (
	// attempt is what Flame says of the executor and the node whose binding failed, which
	// are others with each try.
	attempt = regexp.MustCompile(`^Executor <[^>]*> on node <[^>]*> failed to bind session with return_code <[^>]*>: `)
	// varying matches IDs, which differ from try to try as well, and credentials in URLs.
	varying = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|//[^/@\s]*@`)
)

// why returns the reason for which the binding failed, without what differs from try to try.
func (b *bindFailure) why() string {
	text := strings.Join(strings.Fields(strings.ToValidUTF8(string(b.said), "")), " ")
	return varying.ReplaceAllString(attempt.ReplaceAllString(text, ""), "…")
}
