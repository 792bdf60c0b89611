// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/operator-framework/api/pkg/apis/scorecard/v1alpha3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// program is the program as the image has it.
var program string

func TestMain(m *testing.M) { os.Exit(built(m)) }

func built(m *testing.M) int {
	dir, err := os.MkdirTemp("", "flame-scorecard-")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	program = filepath.Join(dir, "flame-scorecard")
	if output, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		panic(string(output))
	}
	return m.Run()
}

// What operator-sdk reads is one document, also where there is nothing of what a
// pod of the scorecard has.
func TestOutsideAPodItSaysWhatIsMissing(t *testing.T) {
	for name, test := range map[string]struct {
		args, env       []string
		want, suggested string
	}{
		"no test":        {want: "name of one test", suggested: "flamecluster-scales"},
		"another's test": {args: []string{"basic-check-spec"}, want: "basic-check-spec", suggested: "flamecluster-scales"},
		"no namespace":   {args: []string{"flamecluster-scales"}, want: "SCORECARD_NAMESPACE is not set", suggested: "make scorecard"},
		"no bundle": {
			args: []string{"flamecluster-scales"}, env: []string{"SCORECARD_NAMESPACE=ns"},
			want: "read the bundle in /bundle", suggested: "operator-sdk scorecard",
		},
	} {
		t.Run(name, func(t *testing.T) {
			command := exec.Command(program, test.args...)
			command.Env = append([]string{"PATH=/nowhere"}, test.env...)
			output, err := command.CombinedOutput()
			require.NoError(t, err, "the state is in the document, not in the exit code")
			decoder := json.NewDecoder(bytes.NewReader(output))
			decoder.DisallowUnknownFields()
			status := v1alpha3.TestStatus{}
			require.NoErrorf(t, decoder.Decode(&status), "%s", output)
			require.False(t, decoder.More(), "one document and nothing else")
			require.Len(t, status.Results, 1)
			assert.Equal(t, v1alpha3.ErrorState, status.Results[0].State)
			assert.Contains(t, strings.Join(status.Results[0].Errors, "\n"), test.want)
			assert.Contains(t, strings.Join(status.Results[0].Suggestions, "\n"), test.suggested)
		})
	}
}
