// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestThePictureInTheDocsIsOfToday(t *testing.T) {
	picture := filepath.Join(t.TempDir(), "out.svg")
	require.NoError(t, run("loads/day.yaml", picture, io.Discard))
	got, err := os.ReadFile(picture)
	require.NoError(t, err)
	want, err := os.ReadFile("../../docs/autoscaling.svg")
	require.NoError(t, err)
	assert.Equal(t, string(want), string(got), "run: make docs-autoscaling")
}

func TestEveryLoadIsPlayedToItsEnd(t *testing.T) {
	loads, err := filepath.Glob("loads/*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, loads)
	for _, load := range loads {
		t.Run(filepath.Base(load), func(t *testing.T) {
			picture := filepath.Join(t.TempDir(), "out.svg")
			var out bytes.Buffer
			require.NoError(t, run(load, picture, &out))
			assert.Contains(t, out.String(), "tasks ran")
			data, err := os.ReadFile(picture)
			require.NoError(t, err)
			texts := wellFormed(t, bytes.NewReader(data))
			for _, text := range []string{"tasks", "waiting", "running", "executor managers", "ready", "desired", "minutes"} {
				assert.Contains(t, texts, text)
			}
		})
	}
}

func TestTheLoadInTheDocsCanBePlayed(t *testing.T) {
	docs, err := os.ReadFile("../../docs/autoscaling.md")
	require.NoError(t, err)
	found := regexp.MustCompile("(?s)```yaml\n(title:.*?)```").FindSubmatch(docs)
	require.NotNil(t, found)
	load := filepath.Join(t.TempDir(), "load.yaml")
	require.NoError(t, os.WriteFile(load, found[1], 0o600))
	require.NoError(t, run(load, filepath.Join(t.TempDir(), "out.svg"), io.Discard))
}

// wellFormed reads a picture as XML and returns the texts in it.
func wellFormed(t *testing.T, picture io.Reader) []string {
	t.Helper()
	var texts []string
	decoder := xml.NewDecoder(picture)
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return texts
		}
		require.NoError(t, err)
		if text, ok := token.(xml.CharData); ok {
			texts = append(texts, string(text))
		}
	}
}

func TestAWrongLoadSaysWhatIsWrong(t *testing.T) {
	for title, test := range map[string]struct{ load, want string }{
		"a field that does not exist": {"duration: 1m\nclusters: {}", `unknown field "clusters"`},
		"a duration of a number":      {"duration: 60", `60 is no duration: write it as "1m30s"`},
		"a duration of words":         {"duration: long", `"long" is no duration`},
		"no duration":                 {"cluster: {maxReplicas: 1}", "duration is missing"},
		"no maximum":                  {"duration: 1m", "cluster.maxReplicas must be at least 1"},
		"tasks of nobody":             {"duration: 1m\ncluster: {maxReplicas: 1}\nevents: [{tasks: 1}]", "events[0] names no session"},
		"an end before a beginning":   {"duration: 1m\ncluster: {maxReplicas: 1}\nevents: [{session: s, close: true}]", "which no event before it opens"},
	} {
		t.Run(title, func(t *testing.T) {
			load := filepath.Join(t.TempDir(), "load.yaml")
			require.NoError(t, os.WriteFile(load, []byte(test.load), 0o600))
			err := run(load, filepath.Join(t.TempDir(), "out.svg"), io.Discard)
			require.Error(t, err)
			assert.Contains(t, err.Error(), test.want)
		})
	}
}
