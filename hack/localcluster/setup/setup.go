// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

// Package setup says what a cluster consists of: its processes, their certificates and
// configuration files, and the objects applied to it. The package takes values and
// returns values.
package setup

import (
	"bytes"
	"embed"
	"encoding/base64"
	"fmt"
	"text/template"

	"github.com/xflops/flame-operator/hack/localcluster/pki"
)

// Every cluster has these to itself, in a network of its own.
const (
	NodeName    = "localcluster"
	PodCIDR     = "10.244.0.0/16"
	ServiceCIDR = "10.96.0.0/16"
	// APIServerIP is the address of the Service kubernetes, the first of all.
	APIServerIP = "10.96.0.1"
	DNSIP       = "10.96.0.10"
	Domain      = "cluster.local"
)

// Values are what differs from one cluster to the next.
type Values struct {
	// NodeIP is the address of the node, for its pods and for the host.
	NodeIP string
	// CgroupRoot is the control group that the kubelet keeps to.
	CgroupRoot string
	// Snapshotter is containerd's.
	Snapshotter string
	// Images are those that the cluster itself runs.
	Images Images
}

// Images are names of images.
type Images struct {
	Pause, CoreDNS, LocalPath, BusyBox string
}

//go:embed templates
var templates embed.FS

// Manifests returns the objects of a cluster, for kubectl apply.
func Manifests(v Values) ([]byte, error) {
	var all []byte
	for _, name := range []string{"coredns.yaml", "local-path.yaml"} {
		text, err := render(name, v)
		if err != nil {
			return nil, err
		}
		all = append(append(all, "---\n"...), text...)
	}
	return all, nil
}

// Files returns the files of a cluster, by their path in its folder. All of
// them may hold keys.
func Files(v Values) (map[string][]byte, error) {
	files := map[string][]byte{}
	for _, name := range []string{"containerd.toml", "cni.conflist", "kubelet.yaml", "kube-proxy.yaml", "resolv.conf"} {
		text, err := render(name, v)
		if err != nil {
			return nil, err
		}
		files["etc/"+name] = text
	}
	// The network's configuration is alone in its folder, where containerd looks for any.
	files["etc/cni/10-pods.conflist"] = files["etc/cni.conflist"]
	delete(files, "etc/cni.conflist")
	return files, addSecrets(files, v)
}

func addSecrets(files map[string][]byte, v Values) error {
	put := func(name string, pair pki.Pair) {
		files["etc/pki/"+name+".crt"], files["etc/pki/"+name+".key"] = pair.Cert, pair.Key
	}
	ca, err := pki.NewAuthority("localcluster-ca")
	if err != nil {
		return err
	}
	put("ca", ca.Pair)
	frontProxy, err := pki.NewAuthority("localcluster-front-proxy-ca")
	if err != nil {
		return err
	}
	put("front-proxy-ca", frontProxy.Pair)
	for _, c := range certificates(v) {
		authority := ca
		if c.frontProxy {
			authority = frontProxy
		}
		pair, err := authority.Issue(c.subject)
		if err != nil {
			return err
		}
		if c.kubeconfig == "" {
			put(c.file, pair)
			continue
		}
		if files[c.kubeconfig], err = kubeconfig(v, ca.Cert, pair); err != nil {
			return err
		}
	}
	private, public, err := pki.NewKey()
	if err != nil {
		return err
	}
	files["etc/pki/sa.key"], files["etc/pki/sa.pub"] = private, public
	return nil
}

// certificate is one to issue, into a pair of files or a kubeconfig.
type certificate struct {
	file       string
	kubeconfig string
	subject    pki.Subject
	frontProxy bool
}

func certificates(v Values) []certificate {
	const masters = "system:masters"
	return []certificate{
		{file: "apiserver", subject: pki.Subject{Name: "kube-apiserver", Hosts: []string{
			v.NodeIP, APIServerIP, "127.0.0.1", "localhost", NodeName,
			"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc." + Domain,
		}}},
		{file: "kubelet", subject: pki.Subject{Name: NodeName, Hosts: []string{v.NodeIP, NodeName}}},
		{file: "apiserver-kubelet-client", subject: pki.Subject{Name: "kube-apiserver-kubelet-client", Groups: []string{masters}}},
		{file: "front-proxy-client", subject: pki.Subject{Name: "front-proxy-client"}, frontProxy: true},
		{kubeconfig: "kubeconfig", subject: pki.Subject{Name: "localcluster-admin", Groups: []string{masters}}},
		{kubeconfig: "etc/controller-manager.kubeconfig", subject: pki.Subject{Name: "system:kube-controller-manager"}},
		{kubeconfig: "etc/scheduler.kubeconfig", subject: pki.Subject{Name: "system:kube-scheduler"}},
		{kubeconfig: "etc/kube-proxy.kubeconfig", subject: pki.Subject{Name: "system:kube-proxy"}},
		{kubeconfig: "etc/kubelet.kubeconfig", subject: pki.Subject{Name: "system:node:" + NodeName, Groups: []string{"system:nodes"}}},
	}
}

func kubeconfig(v Values, ca []byte, client pki.Pair) ([]byte, error) {
	return render("kubeconfig.yaml", struct{ Server, CA, Cert, Key string }{
		Server: "https://" + v.NodeIP + ":6443",
		CA:     base64.StdEncoding.EncodeToString(ca),
		Cert:   base64.StdEncoding.EncodeToString(client.Cert),
		Key:    base64.StdEncoding.EncodeToString(client.Key),
	})
}

// render fills in a template. Constants of this package are at hand as functions.
func render(name string, data any) ([]byte, error) {
	constant := func(value string) func() string { return func() string { return value } }
	parsed, err := template.New(name).Option("missingkey=error").Funcs(template.FuncMap{
		"podCIDR": constant(PodCIDR), "dnsIP": constant(DNSIP), "domain": constant(Domain), "etc": constant(etcDir),
	}).ParseFS(templates, "templates/"+name)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := parsed.Execute(&out, data); err != nil {
		return nil, fmt.Errorf("render %q: %w", name, err)
	}
	return out.Bytes(), nil
}
