// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/test/scorecard/report"
	"github.com/xflops/flame-operator/test/scorecard/runner"
)

// namespaceVariable is where operator-sdk says which namespace the tests are for.
const namespaceVariable = "SCORECARD_NAMESPACE"

// bundleDir is where operator-sdk puts the bundle under test.
const bundleDir = "/bundle"

// patience is how long what is bound to happen may take. Tests are about what
// happens, so these are generous.
type patience struct {
	// seen is for the operator's first look at a cluster.
	seen time.Duration
	// start is for a cluster to become ready, with images that have to be pulled.
	start time.Duration
	// step is for everything after that.
	step time.Duration
	// still is how long what must not happen is watched for.
	still time.Duration
	// interval is the time between two looks.
	interval time.Duration
}

var generous = patience{
	seen: 90 * time.Second, start: 4 * time.Minute, step: 2 * time.Minute, still: 5 * time.Second, interval: 500 * time.Millisecond,
}

// trial is one run of one test.
type trial struct {
	test      string
	log       *runner.Log
	k8s       client.Client
	namespace string
	// example is what the bundle shows to users who make their first cluster.
	example  *flamev1alpha1.FlameCluster
	patience patience
	// clusters are the clusters that the trial made.
	clusters []*cluster
}

// inPod begins a trial in the pod that operator-sdk starts for a test.
func inPod(log *runner.Log) (*trial, error) {
	namespace := os.Getenv(namespaceVariable)
	if namespace == "" {
		return nil, report.Unable(fmt.Errorf("%s is not set", namespaceVariable),
			"this program is run by operator-sdk scorecard, in a pod: make scorecard does so")
	}
	example, err := firstExample(bundleDir)
	if err != nil {
		return nil, err
	}
	config, err := rest.InClusterConfig()
	if err != nil {
		return nil, report.Unable(fmt.Errorf("find the Kubernetes API from inside the pod: %w", err),
			"this program is run by operator-sdk scorecard, in a pod: make scorecard does so")
	}
	return newTrial(log, config, namespace, example, generous)
}

func newTrial(log *runner.Log, config *rest.Config, namespace string, example *flamev1alpha1.FlameCluster, p patience) (*trial, error) {
	config = rest.CopyConfig(config)
	config.Timeout = oneLook
	config.WarningHandler = warnings{log}
	scheme := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(flamev1alpha1.AddToScheme(scheme))
	k8s, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return nil, report.Unable(fmt.Errorf("reach the Kubernetes API: %w", err))
	}
	return &trial{log: log, k8s: k8s, namespace: namespace, example: example, patience: p}, nil
}

// warnings writes the API server's warnings into the log.
type warnings struct{ log *runner.Log }

func (w warnings) HandleWarningHeader(_ int, _ string, text string) {
	w.log.Printf("the API server warns: %s", text)
}

// cleanupTime is less than the suite's Grace.
const cleanupTime = 15 * time.Second

// cleanUp removes what the trial made, even when the trial's time is over. Objects that
// cannot be removed are only named, since the result is about something else.
func (t *trial) cleanUp(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer cancel()
	for _, c := range t.clusters {
		if err := c.remove(ctx); err != nil {
			t.log.Printf("FlameCluster %s in namespace %s was not removed: %v", c.name, t.namespace, err)
			continue
		}
		t.log.Printf("removed FlameCluster %s", c.name)
	}
}

// describe writes into the log how the clusters are.
func (t *trial) describe(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), oneLook)
	defer cancel()
	for _, c := range t.clusters {
		text, err := c.describe(ctx)
		if err != nil {
			text = fmt.Sprintf("%s(%v)", text, err)
		}
		t.log.Printf("this is how it was then:\n%s", text)
	}
}

// short is the test's name in the names of its clusters.
func (t *trial) short() string { return "scorecard-" + strings.TrimPrefix(t.test, "flamecluster-") }

// errUnseen is in the error of a cluster that the operator does not look at.
var errUnseen = errors.New("no operator has looked at it")
