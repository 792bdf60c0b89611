// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
)

// NotOwnedError says that an object of a name that the operator needs belongs to somebody
// else. Such an object is never taken over; the user has to choose another name or to
// remove the object.
type NotOwnedError struct {
	Kind, Name string
	// Owner is the kind and name of the object's owner, and empty if there is none.
	Owner string
}

// Error is a sentence for the user.
func (e *NotOwnedError) Error() string {
	if e.Owner == "" {
		return fmt.Sprintf("%s %q already exists and was not made by the operator; delete it or choose another name for the FlameCluster", e.Kind, e.Name)
	}
	return fmt.Sprintf("%s %q already exists and belongs to %s; delete it or choose another name for the FlameCluster", e.Kind, e.Name, e.Owner)
}

// NewNotOwnedError returns the error for an object that belongs to somebody else.
func NewNotOwnedError(kind string, object client.Object) error {
	notOwned := &NotOwnedError{Kind: kind, Name: object.GetName()}
	if controller := metav1.GetControllerOfNoCopy(object); controller != nil {
		notOwned.Owner = fmt.Sprintf("%s %q", controller.Kind, controller.Name)
	}
	return notOwned
}

// isOurs reports whether an object is controlled by the owner, or was applied by the
// operator and has lost its controller since.
func isOurs(owner, object client.Object) bool {
	if metav1.GetControllerOfNoCopy(object) == nil {
		return object.GetAnnotations()[flamev1alpha1.AnnotationApplied] != ""
	}
	return metav1.IsControlledBy(object, owner)
}
