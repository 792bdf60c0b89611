// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

//go:build olm

package olmv1

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/util/cert"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/xflops/flame-operator/test/live"
	"github.com/xflops/flame-operator/test/process"
)

const (
	// registry is where OLM v1 pulls images from: over plain HTTP, on the node's
	// loopback interface.
	registry     = "127.0.0.1:5000"
	catalogImage = registry + "/xflops/flame-operator-catalog:latest"

	// Where catalogd serves the content of catalogs.
	catalogAddress = "127.0.0.1:8443"

	olmNamespace = "olmv1-system"
	group        = "olm.operatorframework.io"
)

var processes = &process.Folder{Bin: filepath.Join(dir, "bin"), Logs: filepath.Join(dir, "logs")}

// leftovers are OLM v1's CRDs, and all that is in the bundle or is installed by hand.
var leftovers = live.Leftovers{
	Finalized: []schema.GroupVersionKind{
		{Group: group, Version: "v1", Kind: "ClusterExtension"},
		{Group: group, Version: "v1", Kind: "ClusterCatalog"},
	},
	Includes: func(object client.Object) bool {
		name := object.GetName()
		return strings.HasSuffix(name, "."+group) || strings.HasSuffix(name, ".flame.xflops.io") || strings.HasPrefix(name, "flame-operator")
	},
}

// fillRegistry starts a registry with the images of the bundles, and of the catalog
// that names them.
func fillRegistry() error {
	p, err := processes.Start("registry", nil, "registry", "--port", "5000")
	if err != nil {
		return err
	}
	if err := p.Listens(registry); err != nil {
		return err
	}
	for name, bundle := range map[string]string{
		oldVersion: filepath.Join(dir, "bundles", "releases", oldVersion),
		version:    filepath.Join(dir, "bundles", "bundle"),
	} {
		err := push(registry+"/xflops/flame-operator-bundle:v"+name,
			filepath.Join(bundle, "manifests")+":/manifests", filepath.Join(bundle, "metadata")+":/metadata")
		if err != nil {
			return err
		}
	}
	return push(catalogImage, "--label", "operators.operatorframework.io.index.configs.v1=/configs", filepath.Join(dir, "catalog")+":/configs")
}

func push(image string, args ...string) error {
	cmd := exec.Command(filepath.Join(dir, "bin", "image"), append([]string{"--tag", image, "--push"}, args...)...)
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("push %s: %w: %s", image, err, output)
	}
	return nil
}

// startOLM gives the cluster OLM v1's CRDs, and starts both of its programs.
func startOLM() error {
	ctx, cancel := context.WithTimeout(context.Background(), live.Patience)
	defer cancel()
	if err := createCRDs(ctx); err != nil {
		return err
	}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: olmNamespace, Labels: live.Ours}}
	if err := k8s.Create(ctx, namespace); err != nil {
		return err
	}
	home, certificate, key, err := settings()
	if err != nil {
		return err
	}
	env := []string{"HOME=" + home, "TMPDIR=" + filepath.Join(home, "tmp")}
	catalogd, err := processes.Start("catalogd", env, "catalogd", "--system-namespace", olmNamespace,
		"--cache-dir", filepath.Join(home, "catalogd"), "--tls-cert", certificate, "--tls-key", key,
		"--catalogs-server-addr", catalogAddress, "--external-address", catalogAddress,
		"--metrics-bind-address", "127.0.0.1:7443", "--health-probe-bind-address", "127.0.0.1:8081")
	if err != nil {
		return err
	}
	if err := catalogd.Listens(catalogAddress); err != nil {
		return err
	}
	controller, err := processes.Start("operator-controller", env, "operator-controller", "--system-namespace", olmNamespace,
		"--cache-path", filepath.Join(home, "operator-controller"), "--catalogd-cas-dir", filepath.Dir(certificate),
		"--health-probe-bind-address", "127.0.0.1:8082")
	if err != nil {
		return err
	}
	return controller.Listens("127.0.0.1:8082")
}

// createCRDs creates OLM v1's, and waits until their types are served.
func createCRDs(ctx context.Context) error {
	for _, kind := range []string{"ClusterCatalog", "ClusterExtension"} {
		file := filepath.Join(dir, "crds", group+"_"+strings.ToLower(kind)+"s.yaml")
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		crd := &unstructured.Unstructured{}
		if err := yaml.Unmarshal(text, &crd.Object); err != nil {
			return fmt.Errorf("read %q: %w", file, err)
		}
		if err := k8s.Create(ctx, crd); err != nil {
			return fmt.Errorf("create CRD %q: %w", crd.GetName(), err)
		}
		list := &unstructured.UnstructuredList{}
		list.SetAPIVersion(group + "/v1")
		list.SetKind(kind + "List")
		if err := live.Poll(ctx, func() error { return k8s.List(ctx, list) }); err != nil {
			return err
		}
	}
	return nil
}

// settings makes a home for OLM v1's programs, which says that the registry speaks
// plain HTTP, and a certificate for what they tell each other.
func settings() (home, certificate, key string, err error) {
	home = filepath.Join(dir, "home")
	if err := os.RemoveAll(home); err != nil {
		return "", "", "", err
	}
	for _, folder := range []string{".config/containers", "tls", "tmp", "catalogd", "operator-controller"} {
		if err := os.MkdirAll(filepath.Join(home, folder), 0o755); err != nil {
			return "", "", "", err
		}
	}
	host, _, _ := strings.Cut(catalogAddress, ":")
	public, private, err := cert.GenerateSelfSignedCertKey(host, nil, nil)
	if err != nil {
		return "", "", "", err
	}
	certificate, key = filepath.Join(home, "tls", "tls.crt"), filepath.Join(home, "tls.key")
	for file, text := range map[string][]byte{
		certificate: public,
		key:         private,
		filepath.Join(home, ".config/containers/registries.conf"): []byte("[[registry]]\nlocation = \"" + registry + "\"\ninsecure = true\n"),
	} {
		if err := os.WriteFile(file, text, 0o600); err != nil {
			return "", "", "", err
		}
	}
	return home, certificate, key, nil
}
