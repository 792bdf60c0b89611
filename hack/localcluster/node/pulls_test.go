// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPullsGoThroughTheProxy(t *testing.T) {
	registry := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "a layer")
	}))
	t.Cleanup(registry.Close)
	var asked string
	client := behind(t, registry, func(ctx context.Context, network, address string) (net.Conn, error) {
		asked = address
		var dialer net.Dialer
		return dialer.DialContext(ctx, network, registry.Listener.Addr().String())
	})

	response, err := client.Get("https://example.com:5000/v2/")
	require.NoError(t, err)
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	assert.Equal(t, "a layer", string(body))
	assert.Equal(t, "example.com:5000", asked)
}

func TestAPullThatCannotConnectFails(t *testing.T) {
	registry := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(registry.Close)
	client := behind(t, registry, func(context.Context, string, string) (net.Conn, error) {
		return nil, errors.New("no route")
	})
	_, err := client.Get("https://example.com/v2/")
	assert.ErrorContains(t, err, "Bad Gateway")
	_, err = client.Get("http://example.com/v2/")
	assert.NoError(t, err, "it is answered")
}

// behind returns a client of registry that reaches it through the proxy alone.
func behind(t *testing.T, registry *httptest.Server, dial dialer) *http.Client {
	t.Helper()
	proxy := httptest.NewServer(tunnel(dial))
	t.Cleanup(proxy.Close)
	address, err := url.Parse(proxy.URL)
	require.NoError(t, err)
	client := registry.Client()
	client.Transport.(*http.Transport).Proxy = http.ProxyURL(address)
	return client
}
