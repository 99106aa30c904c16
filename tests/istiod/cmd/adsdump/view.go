// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"sort"
	"strings"

	cluster "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/protobuf/encoding/protojson"

	_ "github.com/cncf/xds/go/udpa/type/v1"
	_ "istio.io/istio/pkg/config/xds" // registers Envoy's messages, so that Any fields can be shown
	_ "istio.io/istio/pkg/dns/proto"  // registers the name table
)

const (
	cdsType = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
	edsType = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"
	ldsType = "type.googleapis.com/envoy.config.listener.v3.Listener"
	rdsType = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration"
	ndsType = "type.googleapis.com/istio.networking.nds.v1.NameTable"
)

var shortNames = map[string]string{cdsType: "CDS", edsType: "EDS", ldsType: "LDS", rdsType: "RDS", ndsType: "NDS"}

// view is what has been received on one stream.
type view struct {
	options    *options
	stream     adsStream
	node       *core.Node // sent with the first request only
	resources  map[string]map[string]json.RawMessage
	subscribed map[string]map[string]bool
	answered   map[string]bool
	versions   map[string]string
}

// line is one response as --watch prints it.
type line struct {
	Type      string                     `json:"type"`
	Version   string                     `json:"version"`
	Nonce     string                     `json:"nonce"`
	Names     []string                   `json:"names"`
	Resources map[string]json.RawMessage `json:"resources,omitempty"`
	Removed   []string                   `json:"removed,omitempty"`
}

func newView(o *options, stream adsStream, node *core.Node) *view {
	return &view{
		options: o, stream: stream, node: node,
		resources: map[string]map[string]json.RawMessage{}, subscribed: map[string]map[string]bool{},
		answered: map[string]bool{}, versions: map[string]string{},
	}
}

// subscribe asks for names that have not been asked for.
func (v *view) subscribe(url string, names ...string) error {
	known := v.subscribed[url]
	if known == nil {
		known = map[string]bool{}
		v.subscribed[url] = known
	}
	var fresh []string
	for _, n := range names {
		if !known[n] {
			known[n] = true
			fresh = append(fresh, n)
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	v.answered[url] = false
	r := &discovery.DeltaDiscoveryRequest{Node: v.node, TypeUrl: url, ResourceNamesSubscribe: fresh}
	v.node = nil
	return v.stream.Send(r)
}

// complete says whether every subscription has been answered.
func (v *view) complete() bool {
	for url := range shortNames {
		if len(v.subscribed[url]) > 0 && !v.answered[url] {
			return false
		}
	}
	return v.answered[cdsType]
}

// take stores a response, acknowledges it and follows it up.
func (v *view) take(r *discovery.DeltaDiscoveryResponse) error {
	out := line{Type: shortNames[r.TypeUrl], Version: r.SystemVersionInfo, Nonce: r.Nonce, Removed: r.RemovedResources, Names: []string{}}
	if out.Type == "" {
		return fmt.Errorf("istiod sent %s, which was not asked for", r.TypeUrl)
	}
	store := v.resources[r.TypeUrl]
	if store == nil {
		store = map[string]json.RawMessage{}
		v.resources[r.TypeUrl] = store
	}
	fresh := map[string]json.RawMessage{}
	for _, resource := range r.Resources {
		text := json.RawMessage("null")
		if !v.options.names {
			message, err := resource.Resource.UnmarshalNew()
			if err != nil {
				return err
			}
			if text, err = protojson.Marshal(message); err != nil {
				return err
			}
		}
		store[resource.Name], fresh[resource.Name] = text, text
		out.Names = append(out.Names, resource.Name)
	}
	for _, name := range r.RemovedResources {
		delete(store, name)
	}
	v.answered[r.TypeUrl] = true
	v.versions[r.TypeUrl] = r.SystemVersionInfo
	ack := &discovery.DeltaDiscoveryRequest{TypeUrl: r.TypeUrl, ResponseNonce: r.Nonce}
	if err := v.stream.Send(ack); err != nil {
		return err
	}
	if v.options.watch {
		sort.Strings(out.Names)
		if !v.options.names {
			out.Resources = fresh
		}
		if err := printJSON(out); err != nil {
			return err
		}
	}
	if r.TypeUrl != cdsType {
		return nil
	}
	return v.followClusters(r)
}

// followClusters asks for what hangs on the clusters: endpoints, the routes of their ports, listeners and names.
func (v *view) followClusters(r *discovery.DeltaDiscoveryResponse) error {
	var endpoints, ports []string
	for _, resource := range r.Resources {
		c := &cluster.Cluster{}
		if err := resource.Resource.UnmarshalTo(c); err != nil {
			return err
		}
		parts := strings.Split(c.Name, "|")
		if len(parts) != 4 || parts[0] != "outbound" {
			continue
		}
		ports = append(ports, parts[1])
		if t := c.GetType(); t == cluster.Cluster_EDS || t == cluster.Cluster_ORIGINAL_DST {
			endpoints = append(endpoints, c.Name)
		}
	}
	if err := v.subscribe(edsType, endpoints...); err != nil {
		return err
	}
	if err := v.subscribe(rdsType, ports...); err != nil {
		return err
	}
	if err := v.subscribe(ldsType, "*"); err != nil {
		return err
	}
	return v.subscribe(ndsType, "*")
}

// print shows everything as one document: {"versions": {TYPE: VERSION}, TYPE: {NAME: RESOURCE}}.
func (v *view) print() error {
	versions := map[string]string{}
	document := map[string]any{"versions": versions}
	for url, short := range shortNames {
		versions[short] = v.versions[url]
		if v.resources[url] == nil {
			v.resources[url] = map[string]json.RawMessage{}
		}
		document[short] = v.resources[url]
	}
	return printJSON(document)
}
