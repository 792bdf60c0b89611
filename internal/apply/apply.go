// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

// Package apply carries decisions out against the API server by server-side apply,
// and tells what the server's answers mean.
//
// The package decides nothing. Compared with a plain client, it sends nothing when
// nothing would change, and touches nothing that belongs to somebody else.
package apply

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// FieldManager is the one name under which the operator writes.
const FieldManager = "flame-operator"

// Applier applies the objects of one cluster, one at a time.
type Applier struct {
	client client.Client
	live   client.Reader
	// pruned remembers which objects that no cache holds were found gone, so that the
	// server need not be asked in every pass. Only the operator would make them again.
	pruned map[named]bool
}

// named names an object of a cluster.
type named struct{ kind, name string }

// New returns an Applier that reads from the client's cache, and from the API
// server itself where the cache is not enough.
func New(cached client.Client, live client.Reader) *Applier {
	return &Applier{client: cached, live: live, pruned: map[named]bool{}}
}

// Apply makes an object what its configuration says, and nothing else: what others added
// to the object stays. Nothing is sent if nothing would change. The argument into names
// the kind, and receives the object as the server holds it. An object of that name that
// does not belong to the owner is left alone, and Apply returns a NotOwnedError.
//
// The configuration must hold only fields that the server stores: no stringData, for
// instance.
func (a *Applier) Apply(ctx context.Context, owner client.Object, config runtime.ApplyConfiguration, into client.Object) error {
	in, err := newIntent(config)
	if err != nil {
		return err
	}
	exists, err := a.get(ctx, in.key, into)
	if err != nil {
		return fmt.Errorf("get %s %q: %w", in.kind, in.key.Name, err)
	}
	if exists && !isOurs(owner, into) {
		return NewNotOwnedError(in.kind, into)
	}
	if exists && in.holds(into) {
		return nil
	}
	delete(a.pruned, named{in.kind, in.key.Name})
	if err := a.send(ctx, in, into); err != nil {
		return fmt.Errorf("apply %s %q: %w", in.kind, in.key.Name, err)
	}
	return nil
}

// Annotate writes an annotation on the very object that was looked at. Annotations that
// change by themselves, which no configuration holds, are written this way.
func (a *Applier) Annotate(ctx context.Context, object client.Object, name, value string) error {
	if err := PatchMetadata(ctx, a.client, object, metav1.ObjectMeta{Annotations: map[string]string{name: value}}); err != nil {
		return fmt.Errorf("annotate %s %q: %w", kindOf(object), object.GetName(), err)
	}
	return nil
}

// PatchMetadata adds labels and annotations to those of an object, and replaces its
// owners if there are any in want. The server refuses the patch for any other object of
// that name than the very one that was looked at.
func PatchMetadata(ctx context.Context, to client.Client, object client.Object, want metav1.ObjectMeta) error {
	kind, err := to.GroupVersionKindFor(object)
	if err != nil {
		return err
	}
	want.UID = object.GetUID()
	patch, err := json.Marshal(metav1.PartialObjectMetadata{ObjectMeta: want})
	if err != nil {
		return err
	}
	target := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: object.GetNamespace(), Name: object.GetName()}}
	target.SetGroupVersionKind(kind)
	return to.Patch(ctx, target, client.RawPatch(types.MergePatchType, patch), client.FieldOwner(FieldManager))
}

// Patch changes some metadata, and fields of the spec if there are any, of the very object
// that was looked at. The server refuses the patch if the object is another one, or has
// changed since. That is no failure, since the change has the object looked at again.
func Patch(ctx context.Context, to client.Client, object client.Object, metadata, spec map[string]any) error {
	seen := map[string]any{"uid": object.GetUID(), "resourceVersion": object.GetResourceVersion()}
	maps.Copy(seen, metadata)
	fields := map[string]any{"metadata": seen}
	if spec != nil {
		fields["spec"] = spec
	}
	patch, err := json.Marshal(fields)
	if err != nil {
		return err
	}
	target := object.DeepCopyObject().(client.Object)
	if err = to.Patch(ctx, target, client.RawPatch(types.MergePatchType, patch), client.FieldOwner(FieldManager)); Gone(err) {
		return nil
	}
	return err
}

// get reads an object, from the server if the cache does not have it: the cache holds
// only objects with the operator's labels, and an object of the same name without them
// may be somebody else's.
func (a *Applier) get(ctx context.Context, key client.ObjectKey, into client.Object) (bool, error) {
	if !isUncached(into) {
		err := a.client.Get(ctx, key, into)
		if !apierrors.IsNotFound(err) {
			return err == nil, err
		}
	}
	err := a.live.Get(ctx, key, into)
	return err == nil, client.IgnoreNotFound(err)
}

// isUncached reports whether a kind is never held in a cache. Secrets are not cached,
// because the operator would hold those of the whole cluster.
func isUncached(object client.Object) bool {
	_, secret := object.(*corev1.Secret)
	return secret
}

// send applies an intent to the very object that was looked at: the server refuses the
// intent if the object was replaced in the meantime.
func (a *Applier) send(ctx context.Context, in *intent, into client.Object) error {
	object := in.object(into.GetUID())
	if err := a.client.Apply(ctx, client.ApplyConfigurationFromUnstructured(object), client.FieldOwner(FieldManager), client.ForceOwnership); err != nil {
		return err
	}
	reflect.ValueOf(into).Elem().SetZero()
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, into); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	into.SetManagedFields(nil)
	return nil
}

// Prune deletes an object, named by its name and kind, if it exists and is controlled by
// the owner. Otherwise no deletion is sent.
func (a *Applier) Prune(ctx context.Context, owner, object client.Object) error {
	key := client.ObjectKey{Namespace: owner.GetNamespace(), Name: object.GetName()}
	kind := kindOf(object)
	reader := client.Reader(a.client)
	if isUncached(object) {
		if a.pruned[named{kind, key.Name}] {
			return nil
		}
		reader = a.live
	}
	err := reader.Get(ctx, key, object)
	if apierrors.IsNotFound(err) || err == nil && !metav1.IsControlledBy(object, owner) {
		if isUncached(object) {
			a.pruned[named{kind, key.Name}] = true
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("get %s %q: %w", kind, key.Name, err)
	}
	if !object.GetDeletionTimestamp().IsZero() {
		return nil
	}
	err = Remove(ctx, a.client, object, client.PropagationPolicy(metav1.DeletePropagationBackground))
	if err != nil && !Gone(err) {
		return fmt.Errorf("delete %s %q: %w", kind, key.Name, err)
	}
	return nil
}

// kindOf names the kind of an object that has a Go type of its own.
func kindOf(object client.Object) string { return reflect.TypeOf(object).Elem().Name() }

// Remove deletes the very object that was looked at. Both NotFound and Conflict say that
// the object is gone; Conflict also says that there is another object of its name. An
// object without a UID, which may not exist at all, is deleted by name.
func Remove(ctx context.Context, writer client.Writer, object client.Object, options ...client.DeleteOption) error {
	if uid := object.GetUID(); uid != "" {
		options = append(options, client.Preconditions{UID: &uid})
	}
	return writer.Delete(ctx, object, options...)
}
