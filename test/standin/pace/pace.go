// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

// Package pace shortens Flame's constants, so that a test need not wait half a
// minute for a node to be given up. Nothing that a configuration file says is
// shortened.
package pace

import (
	"os"
	"strconv"
	"time"
)

// Variable names the factor by which Flame's constants are multiplied.
const Variable = "STANDIN_TIME_SCALE"

// Of returns what a constant of Flame's lasts here.
func Of(constant time.Duration) time.Duration {
	scale, err := strconv.ParseFloat(os.Getenv(Variable), 64)
	if err != nil || scale <= 0 {
		return constant
	}
	return time.Duration(float64(constant) * scale)
}
