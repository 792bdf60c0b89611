// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/xflops/flame-operator/test/standin/ctl"
	"github.com/xflops/flame-operator/test/standin/ping"
)

func TestClient(t *testing.T) {
	c := newCluster(t)
	c.sessionManager()
	c.executorManager("node-a")
	endpoint := fmt.Sprintf("http://127.0.0.1:%d", c.port)

	var out bytes.Buffer
	require.NoError(t, ping.Run(t.Context(), []string{"--endpoint", endpoint, "-t", "2", "-d", "1", "-P", "1", "--count-executions"}, &out))
	assert.Regexp(t, `(?s)^Session <flmping-\w+> was created in <\d+ ms>, start to run <2> tasks in the session:

 Session +Task +State +Executions +Output
 flmping-\w+ +1 +Succeed +1 +Completed on <node-a> in <\d+> milliseconds with <0> memory
 flmping-\w+ +2 +Succeed +1 +Completed on <node-a> in <\d+> milliseconds with <0> memory


<2> tasks was completed in <\d+ ms>.

$`, out.String())

	require.NoError(t, ping.Run(t.Context(), []string{"--endpoint", endpoint, "-t", "0"}, &out))
	require.Error(t, ping.Run(t.Context(), []string{"--endpoint", endpoint, "-t", "1", "-r", "cpu=0.5"}, &out))
	if !isReal() {
		err := ping.Run(t.Context(), []string{"--endpoint", endpoint, "-t", "2", "--fail", "why"}, &out)
		require.EqualError(t, err, "2 of 2 tasks did not succeed")
		assert.Contains(t, out.String(), "code <3>: why")
	}
}

func TestLists(t *testing.T) {
	c := newCluster(t)
	c.sessionManager()
	c.executorManager("node-a")
	c.createSession("s")
	c.createTasks("s", 1, 0)
	c.succeeds(1)
	path := filepath.Join(c.dir, "flame.yaml")
	require.NoError(t, os.WriteFile(path, fmt.Appendf(nil,
		"current-context: x\ncontexts: [{name: x, cluster: {endpoint: 'http://127.0.0.1:%d'}}]\n", c.port), 0o644))
	for list, want := range map[string]string{
		"-a": ` flmping +Enabled +Host +\d\d:\d\d:\d\d +\$\{FLAME_HOME\}/bin/flmping-service`,
		"-e": ` [0-9a-f-]{36} +Bound +s +node-a`,
		"-n": ` node-a +node-a +Ready +\d+ +\d+Gi +\w+ +linux`,
		"-s": ` s +Open +flmping +cpu=\d+,mem=1Mi,gpu=0 +0 +0 +0 +1 +0 +\d\d:\d\d:\d\d`,
	} {
		var out bytes.Buffer
		require.NoError(t, ctl.Run(t.Context(), []string{"--config", path, "list", list}, &out))
		assert.Regexp(t, want, out.String())
	}
	require.Error(t, ctl.Run(t.Context(), []string{"list"}, &bytes.Buffer{}))
	require.Error(t, ctl.Run(t.Context(), []string{"--config", "/does/not/exist", "list", "-n"}, &bytes.Buffer{}))
}
