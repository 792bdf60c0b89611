// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package pki_test

import (
	"crypto/tls"
	"crypto/x509"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/xflops/flame-operator/hack/localcluster/pki"
)

func TestACertificateIsGoodForItsHostsAndNoOthers(t *testing.T) {
	ca, roots := authority(t)
	pair, err := ca.Issue(pki.Subject{Name: "server", Hosts: []string{"10.96.0.1", "kubernetes.default.svc"}})
	require.NoError(t, err)
	cert := parse(t, pair)

	for _, host := range []string{"10.96.0.1", "kubernetes.default.svc"} {
		_, err := cert.Verify(x509.VerifyOptions{Roots: roots, DNSName: host})
		assert.NoError(t, err, host)
	}
	_, err = cert.Verify(x509.VerifyOptions{Roots: roots, DNSName: "10.96.0.2"})
	assert.Error(t, err)
}

func TestAClientIsWhoItsCertificateSaysAndNoServer(t *testing.T) {
	ca, roots := authority(t)
	pair, err := ca.Issue(pki.Subject{Name: "system:node:n", Groups: []string{"system:nodes"}})
	require.NoError(t, err)
	cert := parse(t, pair)

	assert.Equal(t, "system:node:n", cert.Subject.CommonName)
	assert.Equal(t, []string{"system:nodes"}, cert.Subject.Organization)
	_, err = cert.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	assert.NoError(t, err)
	_, err = cert.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	assert.Error(t, err)
}

func TestAnotherAuthoritysCertificatesAreWorthless(t *testing.T) {
	ca, _ := authority(t)
	_, others := authority(t)
	pair, err := ca.Issue(pki.Subject{Name: "client"})
	require.NoError(t, err)
	_, err = parse(t, pair).Verify(x509.VerifyOptions{Roots: others, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	assert.Error(t, err)
}

func authority(t *testing.T) (*pki.Authority, *x509.CertPool) {
	t.Helper()
	ca, err := pki.NewAuthority("ca")
	require.NoError(t, err)
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(ca.Cert))
	return ca, roots
}

func parse(t *testing.T, pair pki.Pair) *x509.Certificate {
	t.Helper()
	loaded, err := tls.X509KeyPair(pair.Cert, pair.Key)
	require.NoError(t, err)
	return loaded.Leaf
}
