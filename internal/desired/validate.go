// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package desired

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/flameconf"
	"github.com/xflops/flame-operator/internal/words"
)

// InvalidSpecError says, in a user's words, what has to change before a spec can run.
// Trying again does not help without a new spec.
type InvalidSpecError struct{ Problems []string }

// longestProblem is how much of a problem is told, in bytes. A problem may quote names that
// a user chose, and those may be long.
const longestProblem = 512

// Error joins the problems into one sentence.
func (e *InvalidSpecError) Error() string {
	told := make([]string, len(e.Problems))
	for i, problem := range e.Problems {
		told[i] = words.Cut(problem, longestProblem)
	}
	return strings.Join(told, "; ")
}

// Invalid returns an InvalidSpecError with one problem.
func Invalid(format string, args ...any) *InvalidSpecError {
	return &InvalidSpecError{Problems: []string{fmt.Sprintf(format, args...)}}
}

// reservedEnv are the variables that Flame's own work rests on. Some of them would be
// misread by the users' programs that a component runs.
var reservedEnv = []string{
	"FLAME_HOME", "FLAME_ENDPOINT", "FLAME_CACHE_ENDPOINT", "FLAME_CA_FILE", "FLAME_INSTANCE_ENDPOINT",
	"FLAME_SOCKET_DIR", "FLAME_TEST_DIR", "FLAME_CACHE_STORAGE", "FLAME_CACHE_EVICTION_POLICY",
	"FLAME_CACHE_MAX_MEMORY", "FLAME_CACHE_MAX_OBJECTS", "CUDA_VISIBLE_DEVICES", memoryLimit,
}

// Problems returns all that Build holds against a spec, tolerated or not.
func Problems(cluster *flamev1alpha1.FlameCluster, in Inputs) []string {
	in.Tolerated = nil
	for {
		_, err := Build(cluster, in)
		found := problemsOf(err, in.Tolerated)
		if len(found) == 0 {
			return in.Tolerated
		}
		in.Tolerated = append(in.Tolerated, found...)
	}
}

// problemsOf returns the problems of an error that are not among those known already.
func problemsOf(err error, known []string) []string {
	var invalid *InvalidSpecError
	if !errors.As(err, &invalid) {
		return nil
	}
	return without(invalid.Problems, known)
}

// without returns the problems that are not tolerated.
func without(problems, tolerated []string) []string {
	return slices.DeleteFunc(slices.Clone(problems), func(problem string) bool { return slices.Contains(tolerated, problem) })
}

// validate finds the version of Flame, and the problems that the schema cannot find and
// that are not tolerated. Of a size beyond any machine nothing can be built.
func validate(cluster *flamev1alpha1.FlameCluster, tolerated []string) (flameconf.Version, error) {
	spec := &cluster.Spec
	version, err := flameconf.VersionOf(spec.FlameVersion, spec.SessionManager.Image)
	tooLarge := sizeProblems(spec)
	var problems []string
	if err != nil {
		problems = append(problems, err.Error())
	}
	problems = append(problems, tooLarge...)
	if len(tooLarge) == 0 {
		problems = append(problems, without(executorProblems(cluster), tolerated)...)
	}
	if problems = append(problems, without(fieldProblems(cluster), tolerated)...); len(problems) > 0 {
		return version, &InvalidSpecError{Problems: problems}
	}
	return version, nil
}

// fieldProblems finds what is wrong with fields by themselves.
func fieldProblems(cluster *flamev1alpha1.FlameCluster) []string {
	spec := &cluster.Spec
	problems := slices.Concat(
		nameProblems(spec),
		envProblems("sessionManager", spec.SessionManager.Env),
		claimProblems("sessionManager", spec.SessionManager.Storage.VolumeClaimTemplate),
		envProblems("executorManager", spec.ExecutorManager.Env),
		memoryProblems(spec.SessionManager.Slot.Memory),
		autoscalingProblems(spec),
	)
	if _, _, err := UpdateLimits(cluster, 0); err != nil {
		problems = append(problems, err.Error())
	}
	if cache := spec.ObjectCache; cache != nil {
		problems = append(problems, envProblems("objectCache", cache.Env)...)
		problems = append(problems, claimProblems("objectCache", cache.Storage.VolumeClaimTemplate)...)
		problems = append(problems, cacheProblems(cache)...)
	}
	return problems
}

// nameProblems refuses names that no object can have, for which the operator would wait in
// vain.
func nameProblems(spec *flamev1alpha1.FlameClusterSpec) []string {
	storage := spec.SessionManager.Storage
	names := []struct{ field, kind, name string }{
		{"serviceAccountName", "ServiceAccount", spec.ServiceAccountName},
		{"sessionManager.storage.existingClaim", "PersistentVolumeClaim", storage.ExistingClaim},
	}
	var problems []string
	if reference := storage.URISecretRef; reference != nil {
		names = append(names, struct{ field, kind, name string }{"sessionManager.storage.uriSecretRef.name", "Secret", reference.Name})
		if wrong := validation.IsConfigMapKey(reference.Key); reference.Key != "" && len(wrong) > 0 {
			problems = append(problems, fmt.Sprintf("sessionManager.storage.uriSecretRef.key is %s, which no key of a Secret can be: %s",
				quoted(reference.Key), wrong[0]))
		}
	}
	for _, of := range names {
		if wrong := validation.IsDNS1123Subdomain(of.name); of.name != "" && len(wrong) > 0 {
			problems = append(problems, fmt.Sprintf("%s is %s, which no %s can be called: %s", of.field, quoted(of.name), of.kind, wrong[0]))
		}
	}
	return problems
}

func envProblems(field string, env []corev1.EnvVar) []string {
	var problems []string
	for _, variable := range env {
		if slices.Contains(reservedEnv, variable.Name) {
			problems = append(problems, fmt.Sprintf("%s.env cannot set %s, which the operator sets for Flame: leave it out", field, variable.Name))
		}
	}
	return problems
}

func claimProblems(field string, claim *corev1.PersistentVolumeClaimSpec) []string {
	if claim == nil || !claim.Resources.Requests.Storage().IsZero() {
		return nil
	}
	return []string{field + ".storage.volumeClaimTemplate has no size: set resources.requests.storage"}
}

// largest is more than any machine has of each resource that an executor manager asks for.
var largest = struct{ cpu, memory, gpu resource.Quantity }{resource.MustParse("10k"), resource.MustParse("1Pi"), resource.MustParse("1k")}

// sizeProblems refuses an executor manager that is larger than any machine. Without this
// limit, the product of a slot's resources and maxExecutors could overflow, and the list
// of GPUs, which names each one, could become huge.
func sizeProblems(spec *flamev1alpha1.FlameClusterSpec) []string {
	slot, executors := spec.SessionManager.Slot, max(1, int64(spec.ExecutorManager.MaxExecutors))
	var problems []string
	for _, part := range []struct {
		field         string
		size, largest resource.Quantity
	}{
		{"cpu", slot.CPU, largest.cpu},
		{"memory", slot.Memory, largest.memory},
		{"gpu", slot.GPU, largest.gpu},
	} {
		if part.size.CmpInt64(part.largest.Value()/executors) > 0 {
			problems = append(problems, fmt.Sprintf("sessionManager.slot.%s %s × executorManager.maxExecutors %d is more than the %s that an executor manager may have: lower either",
				part.field, part.size.String(), executors, part.largest.String()))
		}
	}
	return problems
}

// leastMemory is less than any executor can do with.
const leastMemory = 1 << 20

var leadingNumber = regexp.MustCompile(`^[0-9.]+`)

// memoryProblems refuses a slot with parts of bytes, or so few that they were meant to be
// something else. What is too large is told by itself, and has no value to compare with.
func memoryProblems(memory resource.Quantity) []string {
	if memory.Cmp(largest.memory) > 0 || memory.CmpInt64(leastMemory) >= 0 && memory.CmpInt64(memory.Value()) == 0 {
		return nil
	}
	text, cure := memory.String(), "write it in whole bytes"
	if memory.CmpInt64(leastMemory) < 0 {
		cure = fmt.Sprintf("did you mean %sMi?", leadingNumber.FindString(text))
	}
	return []string{fmt.Sprintf("sessionManager.slot.memory is %s, which is %s bytes, and an executor has whole bytes and 1Mi at least: %s",
		text, memory.AsDec().String(), cure)}
}

// executorProblems refuses resources that would break maxExecutors: Flame fits in as many
// executors as the CPU limit, rounded up, has room for.
//
// Flame workaround: cpu-limit
func executorProblems(cluster *flamev1alpha1.FlameCluster) []string {
	slot, executors := cluster.Spec.SessionManager.Slot, int64(cluster.Spec.ExecutorManager.MaxExecutors)
	limits := cluster.Spec.ExecutorManager.Resources.Limits
	var problems []string
	// Limits are compared without Value, which numbers of more than 64 bits do not have.
	if limit, ok := limits[corev1.ResourceCPU]; ok && !roundsUpTo(limit, slot.CPU.Value()*executors) {
		problems = append(problems, fmt.Sprintf(
			"executorManager.resources.limits.cpu is %s, but slot.cpu %s × maxExecutors %d is %d, and Flame runs as many executors as the CPU limit has room for: set it to %[4]d or leave it out",
			limit.String(), slot.CPU.String(), executors, slot.CPU.Value()*executors))
	}
	if limit, ok := limits[corev1.ResourceMemory]; ok && limit.CmpInt64(slot.Memory.Value()*executors) < 0 {
		problems = append(problems, fmt.Sprintf(
			"executorManager.resources.limits.memory is %s, but slot.memory %s × maxExecutors %d needs more: raise it or leave it out",
			limit.String(), slot.Memory.String(), executors))
	}
	if limit, ok := limits[GPUResource]; ok && limit.CmpInt64(slot.GPU.Value()*executors) != 0 {
		problems = append(problems, fmt.Sprintf(
			"executorManager.resources.limits[%q] is %s, but slot.gpu %s × maxExecutors %d is %d: set slot.gpu and leave it out",
			GPUResource, limit.String(), slot.GPU.String(), executors, slot.GPU.Value()*executors))
	}
	return append(problems, requestProblems(executorManagerResources(cluster))...)
}

func roundsUpTo(quantity resource.Quantity, whole int64) bool {
	return quantity.CmpInt64(whole) <= 0 && quantity.CmpInt64(whole-1) > 0
}

// requestProblems finds requests that exceed their limits.
func requestProblems(resources corev1.ResourceRequirements) []string {
	var problems []string
	for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory, GPUResource} {
		request, limit := resources.Requests[name], resources.Limits[name]
		if request.Cmp(limit) > 0 {
			problems = append(problems, fmt.Sprintf("executorManager.resources.requests[%q] is %s, more than the limit of %s",
				name, request.String(), limit.String()))
		}
	}
	return problems
}

func cacheProblems(cache *flamev1alpha1.ObjectCacheSpec) []string {
	limit := cache.Resources.Limits.Memory()
	for _, part := range []struct {
		field  string
		memory *resource.Quantity
	}{{"eviction.maxMemory", cache.Eviction.MaxMemory}, {"resources.limits.memory", limit}} {
		if part.memory != nil && part.memory.Cmp(largest.memory) > 0 {
			return []string{fmt.Sprintf("objectCache.%s is %s, more than the %s that an object cache may have: lower it",
				part.field, part.memory, largest.memory.String())}
		}
	}
	maxMemory := flameconf.CacheMemory(cache)
	if !limit.IsZero() && maxMemory.Cmp(*limit) >= 0 {
		return []string{fmt.Sprintf("objectCache.eviction.maxMemory is %s, but must be below objectCache.resources.limits.memory, %s",
			maxMemory.String(), limit.String())}
	}
	if maxMemory.Sign() <= 0 {
		return []string{"objectCache.eviction.maxMemory must be more than 0"}
	}
	return nil
}

// sameQuantity reports whether two quantities have the same value, as "1" and "1000m" do.
func sameQuantity(a, b resource.Quantity) bool { return a.Cmp(b) == 0 }

// autoscalingProblems refuses to take executor managers away from a session manager that
// forgets their tasks. A URI is allowed, since it may lead to any storage.
//
// Flame workaround: storage-none
func autoscalingProblems(spec *flamev1alpha1.FlameClusterSpec) []string {
	storage := spec.SessionManager.Storage
	if spec.ExecutorManager.Autoscaling == nil || storage.Type != flamev1alpha1.StorageNone || storage.URISecretRef != nil {
		return nil
	}
	return []string{"executorManager.autoscaling needs a storage that keeps tasks: with sessionManager.storage.type none, " +
		"Flame loses the tasks of an executor manager that goes. Choose another type or leave autoscaling out"}
}
