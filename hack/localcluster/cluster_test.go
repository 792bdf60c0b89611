// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

//go:build cluster

// This test brings up real clusters, so it needs root and a few minutes:
// "go test -tags cluster -v -run TestClusters .".
package main_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/xflops/flame-operator/hack/image/archive"
)

func TestClusters(t *testing.T) {
	h := newHarness(t)
	before := inventory(t)

	a, b := h.cluster("a"), h.cluster("b")
	a.must("up")
	b.must("up")
	t.Run("two run side by side, each with its own objects", func(t *testing.T) {
		a.kubectl("create", "namespace", "only-in-a")
		assert.NotContains(t, b.kubectl("get", "namespaces"), "only-in-a")
		a.must("status")
		b.must("status")
	})
	t.Run("up is a no-op on a cluster that is well", func(t *testing.T) {
		started := time.Now()
		assert.Equal(t, a.kubeconfig(), strings.TrimSpace(a.must("up")))
		assert.Less(t, time.Since(started), 10*time.Second)
		assert.Contains(t, a.kubectl("get", "namespaces"), "only-in-a")
	})
	t.Run("volumes are provisioned, written to and deleted", func(t *testing.T) { testVolume(t, a) })
	t.Run("an image that is loaded again replaces the one of its tag", func(t *testing.T) {
		assert.Equal(t, "one", a.says("first", "one"))
		assert.Equal(t, "two", a.says("second", "two"))
	})
	t.Run("Services can be reached from the cluster's network", func(*testing.T) {
		a.must("exec", "--", "timeout", "5", "bash", "-c", "exec 3<>/dev/tcp/10.96.0.1/443")
	})
	t.Run("components that are killed come back", func(t *testing.T) {
		for _, name := range []string{"etcd", "kube-apiserver", "containerd", "kubelet"} {
			a.killComponent(name)
		}
		a.must("up")
		assert.Contains(t, a.kubectl("get", "namespaces"), "only-in-a")
	})
	t.Run("a cluster that was killed is seen to be dead, and made anew", func(t *testing.T) {
		require.NoError(t, syscall.Kill(a.node(), syscall.SIGKILL))
		require.Eventually(t, func() bool { _, err := a.run("status"); return err != nil }, 10*time.Second, 100*time.Millisecond)
		a.must("up")
		assert.NotContains(t, a.kubectl("get", "namespaces"), "only-in-a")
		b.must("status")
	})
	t.Run("a folder that is somebody else's is left alone", func(t *testing.T) {
		other := h.cluster("other")
		require.NoError(t, os.MkdirAll(other.dir, 0o755))
		mine := filepath.Join(other.dir, "mine")
		require.NoError(t, os.WriteFile(mine, nil, 0o644))
		_, err := other.run("up")
		require.ErrorContains(t, err, "is not empty and holds no cluster")
		other.must("down")
		assert.FileExists(t, mine)
	})
	namespaces := []string{a.pidNamespace(), b.pidNamespace()}
	require.NoError(t, syscall.Kill(b.node(), syscall.SIGKILL))
	a.must("down")
	b.must("down")
	left := slices.DeleteFunc(inventory(t), func(line string) bool { return slices.Contains(before, line) })
	assert.Empty(t, left, "nothing is left")
	// A node that has ended stays listed until the machine's process 1 notices.
	assert.Eventually(t, func() bool { return len(processesIn(t, namespaces)) == 0 }, 10*time.Second, 100*time.Millisecond)
	assert.NoDirExists(t, a.dir)
	a.must("down")
}

func testVolume(t *testing.T, c *cluster) {
	c.apply(`
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data, namespace: default}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: v1
kind: Pod
metadata: {name: writer, namespace: default}
spec:
  restartPolicy: Never
  securityContext: {runAsNonRoot: true, runAsUser: 12345, fsGroup: 12345, seccompProfile: {type: RuntimeDefault}}
  containers:
  - name: writer
    image: localcluster.internal/busybox:v1
    command: [/bin/busybox, sh, -c, "echo hello > /data/file && busybox cat /data/file /proc/self/cgroup"]
    resources: {limits: {cpu: 300m, memory: 32Mi}}
    securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
    volumeMounts: [{name: data, mountPath: /data}]
  volumes: [{name: data, persistentVolumeClaim: {claimName: data}}]
`)
	c.kubectl("wait", "--for=jsonpath={.status.phase}=Succeeded", "pod/writer", "--timeout=60s")
	assert.Contains(t, c.kubectl("logs", "writer"), "hello")
	c.kubectl("delete", "pod/writer", "pvc/data")
	c.kubectl("wait", "--for=delete", "pv", "--all", "--timeout=60s")
}

// says loads an image with the given word in it, always under the same tag,
// and returns what a new pod of that image reads.
func (c *cluster) says(pod, word string) string {
	c.t.Helper()
	dir := c.t.TempDir()
	file, image := filepath.Join(dir, "word"), filepath.Join(dir, "image.tar")
	require.NoError(c.t, os.WriteFile(file, []byte(word), 0o644))
	busybox, err := exec.LookPath("busybox")
	require.NoError(c.t, err)
	img, err := archive.Build(archive.Spec{
		Entries: []archive.Entry{
			{Path: "/bin/busybox", Mode: 0o755, Source: busybox}, {Path: "/word", Mode: 0o644, Source: file},
		},
		Entrypoint:   []string{"/bin/busybox", "cat", "/word"},
		Architecture: runtime.GOARCH,
	})
	require.NoError(c.t, err)
	require.NoError(c.t, archive.Write(image, img, "docker.io/library/word:v1"))
	c.must("load", image)
	c.kubectl("run", pod, "--image=docker.io/library/word:v1", "--restart=Never")
	c.kubectl("wait", "--for=jsonpath={.status.phase}=Succeeded", "pod/"+pod, "--timeout=60s")
	return c.kubectl("logs", pod)
}

// harness runs the program as a user would.
type harness struct {
	t      *testing.T
	binary string
}

func newHarness(t *testing.T) *harness {
	t.Helper()
	require.Zero(t, os.Geteuid(), "run this as root")
	binary := filepath.Join(t.TempDir(), "localcluster")
	out, err := exec.Command("go", "build", "-trimpath", "-o", binary, ".").CombinedOutput()
	require.NoError(t, err, string(out))
	return &harness{t: t, binary: binary}
}

type cluster struct {
	*harness
	dir string
}

func (h *harness) cluster(name string) *cluster {
	c := &cluster{harness: h, dir: filepath.Join(h.t.TempDir(), name)}
	h.t.Cleanup(func() { c.must("down") })
	return c
}

// run returns what a command prints to its standard output; what goes to the
// other one is logged and becomes the error.
func (c *cluster) run(command string, args ...string) (string, error) {
	started := time.Now()
	cmd := exec.Command(c.binary, append([]string{command, "--dir", c.dir}, args...)...)
	var out, progress bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &progress
	err := cmd.Run()
	c.t.Logf("%s %s: %.1f s\n%s%s", command, filepath.Base(c.dir), time.Since(started).Seconds(), progress.String(), out.String())
	if err != nil {
		err = fmt.Errorf("%w: %s", err, progress.String())
	}
	return out.String(), err
}

func (c *cluster) must(command string, args ...string) string {
	c.t.Helper()
	out, err := c.run(command, args...)
	require.NoError(c.t, err)
	return out
}

func (c *cluster) kubeconfig() string { return filepath.Join(c.dir, "kubeconfig") }

func (c *cluster) kubectl(args ...string) string {
	c.t.Helper()
	return c.kubectlWith("", args...)
}

func (c *cluster) apply(manifest string) {
	c.t.Helper()
	c.kubectlWith(manifest, "apply", "-f", "-")
}

func (c *cluster) kubectlWith(input string, args ...string) string {
	c.t.Helper()
	cmd := exec.Command(filepath.Join(c.dir, "bin", "kubectl"), append([]string{"--kubeconfig", c.kubeconfig()}, args...)...)
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	require.NoError(c.t, err, string(out))
	return string(out)
}

// node returns the process that is the cluster's node.
func (c *cluster) node() int {
	c.t.Helper()
	content, err := os.ReadFile(filepath.Join(c.dir, "cluster.json"))
	require.NoError(c.t, err)
	var record struct {
		Node struct {
			PID int `json:"pid"`
		} `json:"node"`
	}
	require.NoError(c.t, json.Unmarshal(content, &record))
	require.NotZero(c.t, record.Node.PID)
	return record.Node.PID
}

func (c *cluster) killComponent(name string) {
	c.t.Helper()
	out, err := exec.Command("ps", "-o", "pid=,args=", "--ppid", fmt.Sprint(c.node())).Output()
	require.NoError(c.t, err)
	for line := range strings.Lines(string(out)) {
		var pid int
		var path string
		if _, err := fmt.Sscan(line, &pid, &path); err == nil && filepath.Base(path) == name {
			require.NoError(c.t, syscall.Kill(pid, syscall.SIGKILL))
			return
		}
	}
	c.t.Fatalf("%s does not run", name)
}

// inventory lists what a cluster could leave on the machine.
func inventory(t *testing.T) []string {
	t.Helper()
	var all []string
	add := func(what string, lines ...string) {
		for _, line := range lines {
			if line = strings.TrimSpace(line); line != "" {
				all = append(all, what+" "+line)
			}
		}
	}
	command := func(what, name string, args ...string) {
		out, err := exec.Command(name, args...).CombinedOutput()
		require.NoError(t, err, string(out))
		add(what, strings.Split(string(out), "\n")...)
	}
	command("link", "ip", "-brief", "link")
	command("route", "ip", "route", "show", "table", "all")
	command("rule", "ip", "rule")
	command("table", "nft", "list", "tables")
	for _, pattern := range []string{"/sys/fs/cgroup/*", "/sys/fs/cgroup/*/*", "/run/*", "/run/netns/*", "/run/containerd/*", "/var/lib/*", "/var/log/*", "/etc/cni/*"} {
		found, err := filepath.Glob(pattern)
		require.NoError(t, err)
		add("file", found...)
	}
	for _, file := range []string{
		"/proc/self/mountinfo", "/proc/sys/net/ipv4/ip_forward", "/proc/sys/vm/overcommit_memory",
		"/proc/sys/kernel/panic", "/proc/sys/kernel/panic_on_oops", "/proc/sys/net/netfilter/nf_conntrack_max",
	} {
		content, err := os.ReadFile(file)
		if !os.IsNotExist(err) {
			require.NoError(t, err)
		}
		add(file, strings.Split(string(content), "\n")...)
	}
	return all
}

// pidNamespace names the namespace that all processes of the cluster are in.
func (c *cluster) pidNamespace() string {
	c.t.Helper()
	namespace, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", c.node()))
	require.NoError(c.t, err)
	return namespace
}

// processesIn returns the processes that are in one of the PID namespaces.
func processesIn(t *testing.T, namespaces []string) []string {
	t.Helper()
	links, err := filepath.Glob("/proc/[0-9]*/ns/pid")
	require.NoError(t, err)
	return slices.DeleteFunc(links, func(link string) bool {
		namespace, err := os.Readlink(link)
		return err != nil || !slices.Contains(namespaces, namespace)
	})
}
