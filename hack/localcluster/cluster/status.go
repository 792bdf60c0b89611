// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/xflops/flame-operator/hack/localcluster/node"
)

// Status prints how the cluster is, and returns an error unless it is well.
func (c *Cluster) Status(ctx context.Context, out io.Writer) error {
	if err := requireRoot(); err != nil {
		return err
	}
	r, err := c.read()
	if err != nil {
		return err
	}
	switch {
	case r == (record{}):
		return fmt.Errorf("there is no cluster in %q", c.dir)
	case !r.Node.Alive():
		return fmt.Errorf("the cluster in %q is dead: \"up\" makes it anew, \"down\" removes what is left", c.dir)
	}
	spec, err := node.ReadSpec(c.dir)
	if err != nil {
		return err
	}
	state, err := node.ReadState(c.dir)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "Folder      %s\nNode        process %d, %s behind link %s, control group /%s\nKUBECONFIG  %s\n\n",
		c.dir, r.Node.PID, spec.Address.Addr(), spec.HostLink, spec.Cgroup, c.Kubeconfig())
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "COMPONENT\tREADY\tSINCE\tRESTARTS\tLAST END")
	for _, component := range state.Components {
		fmt.Fprintf(table, "%s\t%t\t%s\t%d\t%s\n", component.Name, component.Ready,
			time.Since(component.Since).Round(time.Second), component.Restarts, component.LastExit)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if err := c.check(ctx, r.Node); err != nil {
		return err
	}
	fmt.Fprintln(out, "\nThe node is Ready and cluster DNS answers.")
	return nil
}
