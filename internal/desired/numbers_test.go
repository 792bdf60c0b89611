// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package desired

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/xflops/flame-operator/test/clusters"
)

// odd are quantities that the schema takes, at the ends of what a number can be.
var odd = []string{"0", "-1", "-9223372036854775808", "1n", "256m", "1.5", "9223372036854775807", "8E", "16E", "999999999999999999999999", "1e18"}

// TestNoQuantityOfASpecIsMoreThanWhatIsDoneWithIt builds a cluster with each odd quantity
// in each place of the schema, a podTemplate's too.
func TestNoQuantityOfASpecIsMoreThanWhatIsDoneWithIt(t *testing.T) {
	built := 0
	for _, place := range clusters.QuantityPlaces(t) {
		for _, quantity := range odd {
			object := clusters.Stored(t, clusters.Minimal, place, quantity)
			text, err := json.Marshal(object)
			require.NoError(t, err)
			objects, err := Build(clusters.Parse(t, string(text)), Inputs{})
			var invalid *InvalidSpecError
			switch {
			case errors.As(err, &invalid):
				component, _, _ := strings.Cut(place.String(), ".")
				assert.Contains(t, err.Error(), component, "%s: %s", place, quantity)
				assert.Less(t, len(err.Error()), 1000, "%s: %s", place, quantity)
			default:
				require.NoError(t, err, "%s: %s", place, quantity)
				built++
				rendered, err := json.Marshal(objects)
				require.NoError(t, err)
				assert.Less(t, len(rendered), 100_000, "%s: %s", place, quantity)
			}
		}
	}
	assert.Greater(t, built, 100, "some can run")
}
