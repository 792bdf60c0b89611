// Brings up a real single-node Kubernetes from Go modules.
module github.com/xflops/flame-operator/hack/localcluster

go 1.26.0

replace github.com/xflops/flame-operator/hack/image => ../image

require (
	github.com/stretchr/testify v1.10.0 // indirect
	github.com/vishvananda/netlink v1.3.1 // indirect
	github.com/vishvananda/netns v0.0.5 // indirect
	golang.org/x/sys v0.47.0 // indirect
)
