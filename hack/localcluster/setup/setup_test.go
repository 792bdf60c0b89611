// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package setup_test

import (
	"bytes"
	"net/netip"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"github.com/xflops/flame-operator/hack/localcluster/node"
	"github.com/xflops/flame-operator/hack/localcluster/setup"
)

var values = setup.Values{
	NodeIP: "198.18.0.2", CgroupRoot: "/a", Snapshotter: "overlayfs",
	Images: setup.Images{Pause: "i/pause", CoreDNS: "i/coredns", LocalPath: "i/local-path", BusyBox: "i/busybox"},
}

func TestEveryFileThatAComponentIsGivenExists(t *testing.T) {
	files, err := setup.Files(values)
	require.NoError(t, err)
	for _, component := range setup.Components(values) {
		for _, arg := range component.Args {
			_, value, _ := strings.Cut(arg, "=")
			if name, inFolder := strings.CutPrefix(value, node.Dir+"/"); inFolder {
				assert.Contains(t, files, name, "%s %s", component.Name, arg)
			}
		}
	}
	assert.Contains(t, files, "kubeconfig")
	assert.Contains(t, files, "etc/cni/10-pods.conflist")
}

func TestEveryNeedIsAComponent(t *testing.T) {
	var names []string
	for _, component := range setup.Components(values) {
		for _, need := range component.Needs {
			assert.Contains(t, names, need, "%s starts after what it needs", component.Name)
		}
		assert.NotEqual(t, node.Check{}, component.Ready, component.Name)
		names = append(names, component.Name)
	}
}

func TestFilesHoldTheValues(t *testing.T) {
	files, err := setup.Files(values)
	require.NoError(t, err)
	for name, content := range files {
		if path.Ext(name) == ".yaml" || strings.HasSuffix(name, "kubeconfig") {
			var parsed map[string]any
			assert.NoError(t, yaml.UnmarshalStrict(content, &parsed), name)
		}
		assert.NotContains(t, string(content), "<no value>", name)
	}
	assert.Contains(t, string(files["etc/kubelet.yaml"]), "cgroupRoot: /a\n")
	assert.Contains(t, string(files["etc/containerd.toml"]), `sandbox = "i/pause"`)
	assert.Contains(t, string(files["etc/containerd.toml"]), `snapshotter = "overlayfs"`)
	assert.Contains(t, string(files["kubeconfig"]), "server: https://198.18.0.2:6443\n")
}

func TestManifestsAreObjects(t *testing.T) {
	manifests, err := setup.Manifests(values)
	require.NoError(t, err)
	var kinds []string
	for document := range bytes.SplitSeq(manifests, []byte("---\n")) {
		if len(bytes.TrimSpace(document)) == 0 {
			continue
		}
		var object map[string]any
		require.NoError(t, yaml.UnmarshalStrict(document, &object), string(document))
		kinds = append(kinds, object["kind"].(string))
	}
	for _, kind := range []string{"Deployment", "Service", "StorageClass"} {
		assert.True(t, slices.Contains(kinds, kind), kind)
	}
	assert.Contains(t, string(manifests), "image: i/busybox\n")
	assert.Contains(t, string(manifests), "clusterIP: "+setup.DNSIP+"\n")
}

func TestTheFixedAddressesAreServices(t *testing.T) {
	services := netip.MustParsePrefix(setup.ServiceCIDR)
	assert.Equal(t, services.Addr().Next().String(), setup.APIServerIP, "Kubernetes takes the first")
	assert.True(t, services.Contains(netip.MustParseAddr(setup.DNSIP)))
	assert.False(t, services.Overlaps(netip.MustParsePrefix(setup.PodCIDR)))
}
