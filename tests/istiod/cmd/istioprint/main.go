// SPDX-License-Identifier: Apache-2.0

// Command istioprint prints what `istioctl proxy-config WHAT` prints for a sidecar, by istioctl's own code, from what an admin
// port gave: istioprint clusters|routes|bootstrap FILE of /config_dump, istioprint endpoints FILE of /clusters?format=json.
package main

import (
	"fmt"
	"os"

	"istio.io/istio/istioctl/pkg/writer/envoy/clusters"
	"istio.io/istio/istioctl/pkg/writer/envoy/configdump"
)

func printEndpoints(dump []byte) error {
	writer := &clusters.ConfigWriter{Stdout: os.Stdout}
	if err := writer.Prime(dump); err != nil {
		return err
	}
	return writer.PrintEndpointsSummary(clusters.EndpointFilter{})
}

func printConfig(what string, dump []byte) error {
	writer := &configdump.ConfigWriter{Stdout: os.Stdout}
	if err := writer.Prime(dump); err != nil {
		return err
	}
	switch what {
	case "clusters":
		return writer.PrintClusterSummary(configdump.ClusterFilter{})
	case "routes":
		return writer.PrintRouteSummary(configdump.RouteFilter{Verbose: true})
	case "bootstrap":
		return writer.PrintBootstrapDump("json")
	}
	return fmt.Errorf("no such part of a dump: %s", what)
}

func run() error {
	if len(os.Args) != 3 {
		return fmt.Errorf("usage: istioprint clusters|routes|bootstrap|endpoints FILE")
	}
	dump, err := os.ReadFile(os.Args[2])
	if err != nil {
		return err
	}
	if os.Args[1] == "endpoints" {
		return printEndpoints(dump)
	}
	return printConfig(os.Args[1], dump)
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "istioprint:", err)
		os.Exit(1)
	}
}
