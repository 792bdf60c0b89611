// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

// Package flamev1 holds the stubs of Flame's two gRPC services, generated from the proto
// files beside them. The proto files are written for this project, and share only the wire
// with Flame: packages, services, field numbers and types.
package flamev1
