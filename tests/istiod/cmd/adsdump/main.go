// SPDX-License-Identifier: Apache-2.0

// Command adsdump is a delta-ADS client that shows as JSON what istiod sends to a sidecar: CDS, EDS for every EDS and
// headless cluster, RDS for every port, LDS and NDS. It prints one document when istiod has been silent for a while, or
// with --watch one line for each response.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/structpb"
)

// options are the command line.
type options struct {
	address, root, serverName, tokenFile string
	node, metadata, locality             string
	watch, names                         bool
	idle, timeout                        time.Duration
}

func parseFlags() *options {
	o := &options{}
	flag.StringVar(&o.address, "address", "", "HOST:PORT of istiod")
	flag.StringVar(&o.root, "root", "", "root certificate; TLS is used when given")
	flag.StringVar(&o.serverName, "server-name", "istiod.istio-system.svc", "expected name in istiod's certificate")
	flag.StringVar(&o.tokenFile, "token-file", "", "service account token")
	flag.StringVar(&o.node, "node", "sidecar~10.9.9.9~dump.default~default.svc.cluster.local", "node id")
	flag.StringVar(&o.metadata, "metadata", `{"NAMESPACE":"default","CLUSTER_ID":"Kubernetes"}`, "node metadata, JSON")
	flag.StringVar(&o.locality, "locality", "", "REGION/ZONE/SUBZONE")
	flag.BoolVar(&o.watch, "watch", false, "print every response until interrupted")
	flag.BoolVar(&o.names, "names", false, "print resource names only")
	flag.DurationVar(&o.idle, "idle", 500*time.Millisecond, "silence after which the document is printed")
	flag.DurationVar(&o.timeout, "timeout", 30*time.Second, "give up after this long (without --watch)")
	flag.Parse()
	return o
}

func main() {
	if err := run(parseFlags()); err != nil {
		fmt.Fprintln(os.Stderr, "adsdump:", err)
		os.Exit(1)
	}
}

func run(o *options) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	stream, err := connect(ctx, o)
	if err != nil {
		return err
	}
	node, err := makeNode(o)
	if err != nil {
		return err
	}
	v := newView(o, stream, node)
	if err := v.subscribe(cdsType, "*"); err != nil {
		return err
	}
	responses, failed := make(chan *discovery.DeltaDiscoveryResponse), make(chan error, 1)
	go func() {
		for {
			r, err := stream.Recv()
			if err != nil {
				failed <- err
				return
			}
			responses <- r
		}
	}()
	end := time.After(o.timeout)
	if o.watch {
		end = nil
	}
	for {
		var idle <-chan time.Time
		if !o.watch && v.complete() {
			idle = time.After(o.idle)
		}
		select {
		case r := <-responses:
			if err := v.take(r); err != nil {
				return err
			}
		case err := <-failed:
			return err
		case <-idle:
			return v.print()
		case <-end:
			return errors.New("timed out")
		}
	}
}

type adsStream = discovery.AggregatedDiscoveryService_DeltaAggregatedResourcesClient

func connect(ctx context.Context, o *options) (adsStream, error) {
	creds := insecure.NewCredentials()
	if o.root != "" {
		text, err := os.ReadFile(o.root)
		if err != nil {
			return nil, err
		}
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(text)
		creds = credentials.NewTLS(&tls.Config{RootCAs: pool, ServerName: o.serverName, MinVersion: tls.VersionTLS12})
	}
	conn, err := grpc.NewClient("passthrough:///"+o.address, grpc.WithTransportCredentials(creds),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(1<<30)))
	if err != nil {
		return nil, err
	}
	if o.tokenFile != "" {
		token, err := os.ReadFile(o.tokenFile)
		if err != nil {
			return nil, err
		}
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+strings.TrimSpace(string(token)))
	}
	return discovery.NewAggregatedDiscoveryServiceClient(conn).DeltaAggregatedResources(ctx)
}

func makeNode(o *options) (*core.Node, error) {
	node := &core.Node{Id: o.node, Metadata: &structpb.Struct{}}
	if err := protojson.Unmarshal([]byte(o.metadata), node.Metadata); err != nil {
		return nil, fmt.Errorf("--metadata: %w", err)
	}
	if parts := strings.SplitN(o.locality+"//", "/", 4); o.locality != "" {
		node.Locality = &core.Locality{Region: parts[0], Zone: parts[1], SubZone: parts[2]}
	}
	return node, nil
}

func printJSON(value any) error {
	e := json.NewEncoder(os.Stdout)
	e.SetEscapeHTML(false)
	return e.Encode(value)
}
