// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

// Standin stands in for Flame's three servers and its smallest client, where
// Flame's own images cannot be pulled. It is one static program that plays the
// role it is called by, or the one its first argument names.
package main
