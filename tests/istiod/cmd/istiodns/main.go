// SPDX-License-Identifier: Apache-2.0

// Command istiodns is istio-agent's DNS proxy without the agent, for tests/bench: it answers the names of a file, each line
// "HOST ADDRESS...", at an address, and forwards the rest to the servers of /etc/resolv.conf, as it does in a pod.
package main

import (
	"bufio"
	"log"
	"os"
	"strings"

	"istio.io/istio/pkg/dns/client"
	proto "istio.io/istio/pkg/dns/proto"
)

func readNames(path string) (*proto.NameTable, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	table := &proto.NameTable{Table: map[string]*proto.NameTable_NameInfo{}}
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		labels := strings.SplitN(words[0], ".", 3)
		table.Table[words[0]] = &proto.NameTable_NameInfo{
			Ips: words[1:], Registry: "Kubernetes", Shortname: labels[0], Namespace: labels[1],
		}
	}
	return table, lines.Err()
}

func main() {
	if len(os.Args) != 4 {
		log.Fatal("usage: istiodns ADDRESS:PORT NAMESPACE FILE")
	}
	table, err := readNames(os.Args[3])
	if err != nil {
		log.Fatalf("istiodns: %v", err)
	}
	server, err := client.NewLocalDNSServer(os.Args[2], os.Args[2]+".svc.cluster.local", os.Args[1])
	if err != nil {
		log.Fatalf("istiodns: %v", err)
	}
	server.UpdateLookupTable(table)
	server.StartDNS()
	select {}
}
