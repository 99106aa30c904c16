// SPDX-License-Identifier: Apache-2.0

package main

import (
	"sync/atomic"

	"istio.io/istio/pilot/pkg/model"
	v3 "istio.io/istio/pilot/pkg/xds/v3"
)

// inflight counts the answers that istiod is generating at this moment.
type inflight struct {
	count atomic.Int64
}

// wrap puts the counter around the generators of the types a sidecar asks for.
func (f *inflight) wrap(generators map[string]model.XdsResourceGenerator) {
	for _, url := range []string{v3.ClusterType, v3.EndpointType, v3.ListenerType, v3.RouteType, v3.NameTableType} {
		switch g := generators[url].(type) {
		case nil:
		case model.XdsDeltaResourceGenerator:
			generators[url] = deltaGenerator{generator{g, &f.count}, g}
		default:
			generators[url] = generator{g, &f.count}
		}
	}
}

type generator struct {
	inner model.XdsResourceGenerator
	count *atomic.Int64
}

func (g generator) Generate(proxy *model.Proxy, w *model.WatchedResource, req *model.PushRequest) (
	model.Resources, model.XdsLogDetails, error,
) {
	g.count.Add(1)
	defer g.count.Add(-1)
	return g.inner.Generate(proxy, w, req)
}

type deltaGenerator struct {
	generator
	inner model.XdsDeltaResourceGenerator
}

func (g deltaGenerator) GenerateDeltas(proxy *model.Proxy, req *model.PushRequest, w *model.WatchedResource) (
	model.Resources, model.DeletedResources, model.XdsLogDetails, bool, error,
) {
	g.count.Add(1)
	defer g.count.Add(-1)
	return g.inner.GenerateDeltas(proxy, req, w)
}
