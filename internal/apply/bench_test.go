// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"context"
	"os"
	"testing"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/test/apiserver"
)

func TestMain(m *testing.M) {
	ctrl.SetLogger(logr.Discard())
	os.Exit(apiserver.Run(m))
}

// ours are the labels of everything that the cache of these tests shows.
var ours = map[string]string{"managed-by": "us", "component": "worker"}

// bench is a real API server, with a cache that holds only objects with the operator's label.
type bench struct {
	*apiserver.Bench
	cache   *labelledClient
	applier *Applier
}

func newBench(t testing.TB) *bench {
	t.Helper()
	b := &bench{Bench: apiserver.NewBench(t)}
	b.cache = &labelledClient{Client: b.Operators, users: b.Users}
	b.applier = New(b.cache, b.Operators)
	return b
}

// reference is the owner reference to a cluster for apply configurations.
func reference(cluster *flamev1alpha1.FlameCluster) *metav1ac.OwnerReferenceApplyConfiguration {
	return metav1ac.OwnerReference().WithAPIVersion(flamev1alpha1.GroupVersion.String()).WithKind("FlameCluster").
		WithName(cluster.Name).WithUID(cluster.UID).WithController(true).WithBlockOwnerDeletion(true)
}

// labelledClient reads from a cache that holds only objects with the operator's label.
// Such reads are not counted as requests.
type labelledClient struct {
	client.Client
	users client.Client
}

func (c *labelledClient) Get(ctx context.Context, key client.ObjectKey, object client.Object, _ ...client.GetOption) error {
	if err := c.users.Get(ctx, key, object); err != nil {
		return err
	}
	if object.GetLabels()["managed-by"] != "us" {
		return apierrors.NewNotFound(schema.GroupResource{Resource: "objects"}, key.Name)
	}
	return nil
}
