// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

//go:build olm

package olm

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	operatorsv1alpha1 "github.com/operator-framework/api/pkg/operators/v1alpha1"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/test/live"
)

const (
	// registry is where the node gets images from when it has nothing else. Only the
	// node reaches it, and over plain HTTP, since it is on its loopback interface.
	registry = "127.0.0.1:5000"

	disconnectedCatalog     = "flame-disconnected"
	disconnectedCatalogPort = 50052
)

// TestDisconnected installs the operator and runs a cluster where nothing can be
// reached but a registry, which has every image under its digest and no other.
func TestDisconnected(t *testing.T) {
	p, err := processes.Start("registry", []string{"PORT=5000"}, "registry", "--port", "5000")
	require.NoError(t, err)
	t.Cleanup(p.Stop)
	require.NoError(t, p.Listens(registry))
	m := mirrorAll(t)
	disconnect(t)

	// What unpacks bundles is OLM's own, and comes from there as well.
	catalogOperator.Stop()
	catalogOperator, err = startCatalogOperator("--opmImage", m.opm, "--util-image", m.util)
	require.NoError(t, err)
	server, err := serveCatalog(disconnectedCatalog, m.catalog, disconnectedCatalogPort)
	require.NoError(t, err)
	t.Cleanup(func() {
		// A catalog that cannot be reached would hold up every Subscription.
		source := &operatorsv1alpha1.CatalogSource{ObjectMeta: metav1.ObjectMeta{Namespace: olmNamespace, Name: disconnectedCatalog}}
		assert.NoError(t, k8s.Delete(context.Background(), source))
		server.Stop()
	})

	t.Run("an image from elsewhere cannot be pulled", func(t *testing.T) {
		assertUnpullable(t, "docker.io/xflops/flame-operator:v"+oldVersion+"-elsewhere")
	})
	i := newInstallation(t, disconnectedCatalog)
	unpacking := jobs(t)
	i.subscribe(t, "")
	i.succeeds(t, version)
	assert.Contains(t, unpacking(), m.bundle, "a Job has unpacked the bundle")
	pods, err := i.pods(t.Context())
	require.NoError(t, err)
	for _, pod := range pods {
		assert.Equal(t, m.operator, pod.Spec.Containers[0].Image)
		assert.Equal(t, m.operator, pod.Status.ContainerStatuses[0].ImageID)
	}

	c := cluster.Create(t, cluster.NewNamespace(t), "flame", replicas(2), func(spec *flamev1alpha1.FlameClusterSpec) {
		// A digest does not tell the version.
		spec.FlameVersion = "0.6.0"
		spec.SessionManager.Image, spec.ExecutorManager.Image = m.standIn, m.standIn
	}, live.WithCache)
	c.Settled(t)
	f := c.Flame(t)
	f.Session(t, "disconnected", ahead, taskMilliseconds)
	f.Succeed(t, "disconnected", ahead)
	assertOnly(t, c, m.standIn)
}

// mirror is what the registry has, by digest, and a catalog that names it.
type mirror struct {
	operator, bundle, standIn, opm, util string
	catalog                              string
}

// mirrorAll fills the registry as the administrator of such a cluster would, and
// makes a catalog of bundles that name what is in it.
func mirrorAll(t *testing.T) mirror {
	t.Helper()
	work := t.TempDir()
	m := mirror{catalog: filepath.Join(work, "catalog")}
	// Empty, these two are made from REGISTRY.
	command(t, []string{"REGISTRY=" + registry + "/xflops", "OPERATOR_IMAGE=", "STANDIN_IMAGE="}, "hack/images", "load")
	m.operator = byDigest(t, "xflops/flame-operator", "v"+version)
	m.standIn = byDigest(t, "xflops/flame-standin", "v0.6.0")
	m.opm = push(t, "opm", "--env", "PATH=/bin", "--dir", "/tmp:1777", filepath.Join(dir, "bin", "opm")+":/bin/opm:0755")
	m.util = push(t, "util", "--dir", "/tmp:1777", "/bin/busybox:/bin/cp:0755", filepath.Join(dir, "bin", "cpb")+":/bin/cpb:0755")

	bundle := filepath.Join(work, "bundle")
	require.NoError(t, os.CopyFS(bundle, os.DirFS(filepath.Join(dir, "bundles", "bundle"))))
	csv := filepath.Join(bundle, "manifests", "flame-operator.clusterserviceversion.yaml")
	text, err := os.ReadFile(csv)
	require.NoError(t, err)
	pinned := strings.ReplaceAll(string(text), "docker.io/xflops/flame-operator:v"+version, m.operator)
	require.NotEqual(t, string(text), pinned)
	require.NotContains(t, pinned, "image: docker.io/xflops/flame-operator")
	require.NoError(t, os.WriteFile(csv, []byte(pinned), 0o644))
	m.bundle = push(t, "flame-operator-bundle", filepath.Join(bundle, "manifests")+":/manifests", filepath.Join(bundle, "metadata")+":/metadata")

	template := fmt.Sprintf(`{{if eq .Version %q}}%s{{else}}registry.invalid/flame-operator-bundle:v{{.Version}}{{end}}`, version, m.bundle)
	command(t, nil, "hack/bundle/catalog", "--with-bundle", bundle, "--image-template", template, "--output", m.catalog)
	return m
}

// push puts an image of files into the registry, and returns its name by digest.
func push(t *testing.T, name string, args ...string) string {
	t.Helper()
	repository := registry + "/xflops/" + name
	digest := command(t, nil, filepath.Join(dir, "bin", "image"), append([]string{"--tag", repository + ":mirrored", "--push", "--digest"}, args...)...)
	require.True(t, strings.HasPrefix(digest, "sha256:"), digest)
	return repository + "@" + digest
}

// byDigest asks the registry for the digest of a tag, and returns the image's name with it.
func byDigest(t *testing.T, repository, tag string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodHead, "http://"+registry+"/v2/"+repository+"/manifests/"+tag, nil)
	require.NoError(t, err)
	answer, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.Equal(t, http.StatusOK, answer.StatusCode)
	return registry + "/" + repository + "@" + answer.Header.Get("Docker-Content-Digest")
}

// command runs a program at the top of the project, and returns what it prints.
func command(t *testing.T, env []string, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir, cmd.Env = root(t), append(os.Environ(), env...)
	var problem strings.Builder
	cmd.Stderr = &problem
	out, err := cmd.Output()
	require.NoErrorf(t, err, "%s %v:\n%s", name, args, &problem)
	return strings.TrimSpace(string(out))
}

// root is the top of the project.
func root(t *testing.T) string {
	t.Helper()
	top, err := filepath.Abs(filepath.Join("..", ".."))
	require.NoError(t, err)
	return top
}

// disconnect has the node reach nothing but itself, until the test ends: neither
// through its link to the host nor through the proxy that containerd pulls with.
func disconnect(t *testing.T) {
	t.Helper()
	const table = "flame-olm-disconnected"
	command(t, nil, "nft", fmt.Sprintf(`table inet %[1]s
delete table inet %[1]s
table inet %[1]s {
  chain output {
    type filter hook output priority 0
    oifname "eth0" ct state new reject
    tcp dport 3128 reject with tcp reset
  }
  chain forward {
    type filter hook forward priority 0
    oifname "eth0" ct state new reject
  }
}`, table))
	t.Cleanup(func() {
		assert.NoError(t, exec.Command("nft", "delete table inet "+table).Run())
	})
}

// assertUnpullable makes sure that the node does not get an image.
func assertUnpullable(t *testing.T, image string) {
	t.Helper()
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: cluster.NewNamespace(t), Name: "elsewhere"}}
	pod.Spec = corev1.PodSpec{
		SecurityContext: &corev1.PodSecurityContext{
			RunAsNonRoot: ptr.To(true), RunAsUser: ptr.To[int64](65532),
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
		Containers: []corev1.Container{{
			Name: "elsewhere", Image: image,
			SecurityContext: &corev1.SecurityContext{
				AllowPrivilegeEscalation: ptr.To(false), Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
			},
		}},
	}
	require.NoError(t, k8s.Create(t.Context(), pod))
	eventually(t, "the image cannot be pulled", func(ctx context.Context) error {
		if err := k8s.Get(ctx, client.ObjectKeyFromObject(pod), pod); err != nil {
			return err
		}
		for _, status := range pod.Status.ContainerStatuses {
			if status.State.Waiting != nil && status.State.Waiting.Reason == "ErrImagePull" {
				assert.Contains(t, status.State.Waiting.Message, "refused")
				return nil
			}
		}
		return fmt.Errorf("its status is %+v", pod.Status.ContainerStatuses)
	})
}

// jobs watches OLM's namespace, and returns what ends that and returns the
// images that Jobs have used.
func jobs(t *testing.T) func() []string {
	t.Helper()
	watcher, err := k8s.Watch(t.Context(), &batchv1.JobList{}, client.InNamespace(olmNamespace))
	require.NoError(t, err)
	var images []string
	done := make(chan struct{})
	go func() {
		defer close(done)
		for event := range watcher.ResultChan() {
			if job, ok := event.Object.(*batchv1.Job); ok && job.Status.Succeeded == 1 {
				for _, container := range job.Spec.Template.Spec.InitContainers {
					images = append(images, container.Image)
				}
			}
		}
	}()
	return func() []string {
		watcher.Stop()
		<-done
		slices.Sort(images)
		return slices.Compact(images)
	}
}

// assertOnly makes sure that every container of a cluster runs an image.
func assertOnly(t *testing.T, c live.Cluster, image string) {
	t.Helper()
	pods := &corev1.PodList{}
	require.NoError(t, k8s.List(t.Context(), pods, client.InNamespace(c.Namespace)))
	require.NotEmpty(t, pods.Items)
	for _, pod := range pods.Items {
		for _, status := range append(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses...) {
			assert.Equalf(t, image, status.ImageID, "container %s of pod %s", status.Name, pod.Name)
		}
	}
}
