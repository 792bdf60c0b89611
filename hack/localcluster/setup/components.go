// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package setup

import "github.com/xflops/flame-operator/hack/localcluster/node"

// Components are the processes of a cluster.
func Components(v Values) []node.Component {
	return []node.Component{
		etcd(), apiServer(v), controllerManager(), scheduler(), containerd(), kubelet(v), proxy(),
	}
}

const (
	binDir = node.Dir + "/bin/"
	etcDir = node.Dir + "/etc/"
	pkiDir = etcDir + "pki/"
)

// etcd gives up safety that only a cluster that outlives a power cut needs.
func etcd() node.Component {
	return node.Component{
		Name: "etcd", Path: binDir + "etcd",
		Args: []string{
			"--name=node",
			"--data-dir=/var/lib/etcd",
			"--listen-client-urls=http://127.0.0.1:2379",
			"--advertise-client-urls=http://127.0.0.1:2379",
			"--listen-peer-urls=http://127.0.0.1:2380",
			"--initial-advertise-peer-urls=http://127.0.0.1:2380",
			"--initial-cluster=node=http://127.0.0.1:2380",
			"--unsafe-no-fsync",
			"--quota-backend-bytes=8589934592",
			"--log-level=warn",
		},
		Ready: node.Check{URL: "http://127.0.0.1:2379/health"},
	}
}

func apiServer(v Values) node.Component {
	return node.Component{
		Name: "kube-apiserver", Path: binDir + "kube-apiserver",
		Args: []string{
			"--etcd-servers=http://127.0.0.1:2379",
			"--advertise-address=" + v.NodeIP,
			"--bind-address=0.0.0.0",
			"--secure-port=6443",
			"--service-cluster-ip-range=" + ServiceCIDR,
			"--allow-privileged",
			"--authorization-mode=Node,RBAC",
			// OpenShift has the second one, which asks an operator for more rights than Kubernetes does.
			"--enable-admission-plugins=NodeRestriction,OwnerReferencesPermissionEnforcement",
			"--client-ca-file=" + pkiDir + "ca.crt",
			"--tls-cert-file=" + pkiDir + "apiserver.crt",
			"--tls-private-key-file=" + pkiDir + "apiserver.key",
			"--kubelet-certificate-authority=" + pkiDir + "ca.crt",
			"--kubelet-client-certificate=" + pkiDir + "apiserver-kubelet-client.crt",
			"--kubelet-client-key=" + pkiDir + "apiserver-kubelet-client.key",
			"--kubelet-preferred-address-types=InternalIP",
			"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
			"--service-account-key-file=" + pkiDir + "sa.pub",
			"--service-account-signing-key-file=" + pkiDir + "sa.key",
			"--requestheader-client-ca-file=" + pkiDir + "front-proxy-ca.crt",
			"--requestheader-allowed-names=front-proxy-client",
			"--requestheader-username-headers=X-Remote-User",
			"--requestheader-group-headers=X-Remote-Group",
			"--requestheader-extra-headers-prefix=X-Remote-Extra-",
			"--proxy-client-cert-file=" + pkiDir + "front-proxy-client.crt",
			"--proxy-client-key-file=" + pkiDir + "front-proxy-client.key",
			"--enable-aggregator-routing",
			"--max-requests-inflight=1000",
			"--max-mutating-requests-inflight=500",
		},
		Needs: []string{"etcd"},
		Ready: node.Check{URL: "https://127.0.0.1:6443/readyz"},
	}
}

func controllerManager() node.Component {
	return node.Component{
		Name: "kube-controller-manager", Path: binDir + "kube-controller-manager",
		Args: []string{
			"--kubeconfig=" + etcDir + "controller-manager.kubeconfig",
			"--authentication-kubeconfig=" + etcDir + "controller-manager.kubeconfig",
			"--authorization-kubeconfig=" + etcDir + "controller-manager.kubeconfig",
			"--bind-address=127.0.0.1",
			"--leader-elect=false",
			"--use-service-account-credentials",
			"--root-ca-file=" + pkiDir + "ca.crt",
			"--service-account-private-key-file=" + pkiDir + "sa.key",
			"--cluster-signing-cert-file=" + pkiDir + "ca.crt",
			"--cluster-signing-key-file=" + pkiDir + "ca.key",
			"--cluster-cidr=" + PodCIDR,
			"--kube-api-qps=100", "--kube-api-burst=200",
		},
		Needs: []string{"kube-apiserver"},
		Ready: node.Check{URL: "https://127.0.0.1:10257/healthz"},
	}
}

func scheduler() node.Component {
	return node.Component{
		Name: "kube-scheduler", Path: binDir + "kube-scheduler",
		Args: []string{
			"--kubeconfig=" + etcDir + "scheduler.kubeconfig",
			"--authentication-kubeconfig=" + etcDir + "scheduler.kubeconfig",
			"--authorization-kubeconfig=" + etcDir + "scheduler.kubeconfig",
			"--bind-address=127.0.0.1",
			"--leader-elect=false",
			"--kube-api-qps=200", "--kube-api-burst=400",
		},
		Needs: []string{"kube-apiserver"},
		Ready: node.Check{URL: "https://127.0.0.1:10259/healthz"},
	}
}

func containerd() node.Component {
	return node.Component{
		Name: "containerd", Path: binDir + "containerd",
		Args:  []string{"--config=" + etcDir + "containerd.toml", "--log-level=info"},
		Env:   []string{"HTTPS_PROXY=http://" + node.PullProxy},
		Ready: node.Check{Socket: node.ContainerdSocket},
	}
}

func kubelet(v Values) node.Component {
	return node.Component{
		Name: "kubelet", Path: binDir + "kubelet",
		Args: []string{
			"--config=" + etcDir + "kubelet.yaml",
			"--kubeconfig=" + etcDir + "kubelet.kubeconfig",
			"--hostname-override=" + NodeName,
			"--node-ip=" + v.NodeIP,
			// Counting what every container uses is most of what an idle kubelet does.
			"--housekeeping-interval=30s",
		},
		Needs: []string{"kube-apiserver", "containerd"},
		Ready: node.Check{URL: "http://127.0.0.1:10248/healthz"},
	}
}

func proxy() node.Component {
	return node.Component{
		Name: "kube-proxy", Path: binDir + "kube-proxy",
		Args:  []string{"--config=" + etcDir + "kube-proxy.yaml", "--hostname-override=" + NodeName},
		Needs: []string{"kube-apiserver"},
		Ready: node.Check{URL: "http://127.0.0.1:10256/healthz"},
	}
}
