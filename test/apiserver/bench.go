// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
)

// Bench is the place for tests of a package that writes to the API server: a namespace
// with a cluster that owns what is written.
type Bench struct {
	testing.TB
	// Users is a client whose requests are not noted.
	Users client.Client
	// Operators is the operator's client. The client has no cache, and Requests notes its
	// requests.
	Operators client.Client
	Requests  *Requests
	Namespace string
	// Owner is a cluster that is not stored.
	Owner *flamev1alpha1.FlameCluster
}

// NewBench returns a bench in a namespace of its own.
func NewBench(t testing.TB) *Bench {
	t.Helper()
	b := &Bench{TB: t, Users: Client(t), Requests: &Requests{}}
	config := rest.CopyConfig(Config)
	config.QPS = -1
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return b.Requests.wrap(next) })
	var err error
	b.Operators, err = client.New(config, client.Options{Scheme: Scheme(t)})
	require.NoError(t, err)
	b.Namespace = Namespace(t, b.Users)
	b.Owner = b.Cluster("c", "11111111-2222-3333-4444-555555555555")
	return b
}

// Cluster returns a cluster that is not stored.
func (b *Bench) Cluster(name string, uid types.UID) *flamev1alpha1.FlameCluster {
	return &flamev1alpha1.FlameCluster{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: b.Namespace, UID: uid}}
}

// ControllerRef is what an object says of the cluster that controls it.
func ControllerRef(owner client.Object) []metav1.OwnerReference {
	return []metav1.OwnerReference{*metav1.NewControllerRef(owner, flamev1alpha1.GroupVersion.WithKind("FlameCluster"))}
}

// Get reads an object as it is.
func Get[T client.Object](b *Bench, name string, into T) T {
	b.Helper()
	require.NoError(b, b.Users.Get(b.Context(), client.ObjectKey{Namespace: b.Namespace, Name: name}, into))
	return into
}

// Patch does what a user does with kubectl patch.
func (b *Bench) Patch(object client.Object, patch string) {
	b.Helper()
	require.NoError(b, b.Users.Patch(b.Context(), object, client.RawPatch(types.MergePatchType, []byte(patch))))
}
