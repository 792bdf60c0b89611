// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

// Package v1alpha1 is the contract with users: the FlameCluster, its fields, its conditions
// and the labels that others may rely on. The package decides nothing.
//
// +kubebuilder:object:generate=true
// +groupName=flame.xflops.io
package v1alpha1
