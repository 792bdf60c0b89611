// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

// Command flame-operator runs Flame clusters on Kubernetes and OpenShift.
package main

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	operatorsv2 "github.com/operator-framework/api/pkg/operators/v2"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/metrics/filters"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/controllers"
)

// version is set when a release is built.
var version = "development"

type options struct {
	metricsAddress, metricsCerts, probeAddress string
	leaderElection                             bool
	leaseDuration, renewDeadline, retryPeriod  time.Duration
	showVersion                                bool
	log                                        zap.Options
}

func parseFlags() options {
	var o options
	flag.StringVar(&o.metricsAddress, "metrics-bind-address", "0",
		"The address for metrics, served over HTTPS to those who may get /metrics; 0 serves none.")
	flag.StringVar(&o.metricsCerts, "metrics-cert-path", "",
		"The folder with tls.crt and tls.key for the metrics; without it a certificate is made up at each start.")
	flag.StringVar(&o.probeAddress, "health-probe-bind-address", ":8081", "The address for the probes /healthz and /readyz.")
	flag.BoolVar(&o.leaderElection, "leader-elect", false, "Act only while holding a lease, so that several replicas can run.")
	flag.DurationVar(&o.leaseDuration, "leader-elect-lease-duration", 15*time.Second,
		"How long others wait for a leader that does not renew its lease. OpenShift advises 137s.")
	flag.DurationVar(&o.renewDeadline, "leader-elect-renew-deadline", 10*time.Second,
		"How long a leader tries to renew its lease before it gives up. OpenShift advises 107s.")
	flag.DurationVar(&o.retryPeriod, "leader-elect-retry-period", 2*time.Second,
		"The time between two tries to get or renew the lease. OpenShift advises 26s.")
	flag.BoolVar(&o.showVersion, "version", false, "Print the version and exit.")
	o.log.BindFlags(flag.CommandLine)
	flag.Parse()
	return o
}

func main() {
	o := parseFlags()
	if o.showVersion {
		fmt.Println(version)
		return
	}
	ctrl.SetLogger(zap.New(zap.UseFlagOptions(&o.log)))
	if err := run(o); err != nil {
		ctrl.Log.Error(err, "flame-operator ends")
		os.Exit(1)
	}
}

// gcPercent is how much the heap may grow between two collections, in percent. Most of
// the heap is the pods of the caches, which stay: with Go's default of 100, the same
// amount again would be set aside for garbage. GOGC in the environment overrides
// gcPercent.
const gcPercent = 50

// memoryPart is the part of the container's memory that Go keeps to by collecting more
// often, in percent: the rest is for what is not Go's.
const memoryPart = 85

// boundMemory has Go collect rather than be killed. The manifest sets MEMORY_LIMIT to the
// container's limit, in bytes, whoever sets that. GOMEMLIMIT in the environment overrides it.
func boundMemory() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	limit, err := strconv.ParseInt(os.Getenv("MEMORY_LIMIT"), 10, 64)
	if err == nil && limit > 0 && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(limit / 100 * memoryPart)
	}
}

func run(o options) error {
	boundMemory()
	scheme := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(flamev1alpha1.AddToScheme(scheme))
	utilruntime.Must(operatorsv2.AddToScheme(scheme))

	config, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("find the Kubernetes cluster: %w", err)
	}
	// Compression is off, as in Kubernetes' own controllers. An API server compresses
	// every event of a watch by itself, which costs both sides more than it saves within
	// a cluster.
	config.DisableCompression = true
	// POD_NAMESPACE is set by the manifest; the other variables are set when OLM runs the
	// operator.
	own, namespaces := os.Getenv("POD_NAMESPACE"), controllers.WatchNamespaces(os.Getenv("WATCH_NAMESPACE"))
	operatorCondition := types.NamespacedName{Namespace: own, Name: os.Getenv("OPERATOR_CONDITION_NAME")}
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Scheme:                        scheme,
		Cache:                         controllers.CacheOptions(namespaces),
		Client:                        controllers.ClientOptions(),
		Metrics:                       metrics(o),
		HealthProbeBindAddress:        o.probeAddress,
		LeaderElection:                o.leaderElection,
		LeaderElectionNamespace:       own, // By default that of the pod's ServiceAccount.
		LeaderElectionID:              "flame-operator.flame.xflops.io",
		LeaderElectionReleaseOnCancel: true,
		LeaseDuration:                 &o.leaseDuration,
		RenewDeadline:                 &o.renewDeadline,
		RetryPeriod:                   &o.retryPeriod,
	})
	if err != nil {
		return fmt.Errorf("create the manager: %w", err)
	}
	if err := controllers.Setup(mgr, operatorCondition); err != nil {
		return err
	}
	if err := mgr.AddHealthzCheck("healthz", healthz.Ping); err != nil {
		return fmt.Errorf("add the liveness check: %w", err)
	}
	if err := mgr.AddReadyzCheck("readyz", healthz.Ping); err != nil {
		return fmt.Errorf("add the readiness check: %w", err)
	}
	ctrl.Log.Info("flame-operator starts", "version", version, "namespaces", cmp.Or(strings.Join(namespaces, ","), "all"))
	if err := mgr.Start(ctrl.SetupSignalHandler()); err != nil {
		return fmt.Errorf("run the manager: %w", err)
	}
	return nil
}

func metrics(o options) server.Options {
	return server.Options{
		BindAddress:    o.metricsAddress,
		SecureServing:  true,
		CertDir:        o.metricsCerts,
		FilterProvider: filters.WithAuthenticationAndAuthorization,
	}
}
