// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package sessionmanager

import (
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// The four kinds of errors that clients can tell apart.

func notFound(format string, args ...any) error {
	return status.Errorf(codes.NotFound, format, args...)
}

func alreadyExists(format string, args ...any) error {
	return status.Errorf(codes.AlreadyExists, format, args...)
}

func invalidState(format string, args ...any) error {
	return status.Errorf(codes.InvalidArgument, format, args...)
}

func internal(format string, args ...any) error {
	return status.Errorf(codes.Internal, format, args...)
}
