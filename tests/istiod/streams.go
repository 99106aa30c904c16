// SPDX-License-Identifier: Apache-2.0

package main

import (
	"sort"
	"strings"
	"sync"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/peer"
	"google.golang.org/protobuf/proto"
)

// streams watches what goes over every ADS stream, so that it is known which push was acknowledged.
type streams struct {
	mu     sync.Mutex
	open   map[*stream]bool
	opened int
	moved  int // messages either way, over all streams
}

// streamState is one stream in GET /state.
type streamState struct {
	ID     int                  `json:"id"`
	Peer   string               `json:"peer"`
	Method string               `json:"method"`
	Node   string               `json:"node"`
	Types  map[string]typeState `json:"types"`
}

// typeState is one resource type of a stream.
type typeState struct {
	Requests  int    `json:"requests"`
	Pushes    int    `json:"pushes"`
	Bytes     int    `json:"bytes"`
	Nacks     int    `json:"nacks"`
	LastError string `json:"last_error,omitempty"`
	Sent      string `json:"sent_nonce,omitempty"`
	Answered  string `json:"answered_nonce,omitempty"`
}

func newStreams() *streams { return &streams{open: map[*stream]bool{}} }

// intercept is the gRPC stream interceptor.
func (s *streams) intercept(srv any, inner grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	if !strings.Contains(info.FullMethod, "AggregatedDiscoveryService") {
		return handle(srv, inner)
	}
	st := &stream{ServerStream: inner, all: s, types: map[string]*typeState{}}
	st.method = info.FullMethod[strings.LastIndexByte(info.FullMethod, '/')+1:]
	if p, ok := peer.FromContext(inner.Context()); ok {
		st.peer = p.Addr.String()
	}
	s.mu.Lock()
	s.opened++
	s.moved++
	st.id = s.opened
	s.open[st] = true
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.moved++
		delete(s.open, st)
	}()
	return handle(srv, st)
}

// state returns the open streams and a number that grows with every message.
func (s *streams) state() (list []streamState, moved int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	list = make([]streamState, 0, len(s.open))
	for st := range s.open {
		types := map[string]typeState{}
		for url, t := range st.types {
			types[shortType(url)] = *t
		}
		list = append(list, streamState{st.id, st.peer, st.method, st.node, types})
	}
	sort.Slice(list, func(i, j int) bool { return list[i].ID < list[j].ID })
	return list, s.moved
}

// stream is one ADS stream under observation. The streams' lock guards it.
type stream struct {
	grpc.ServerStream
	all                *streams
	id                 int
	peer, method, node string
	types              map[string]*typeState
}

func (s *stream) typeOf(url string) *typeState {
	t := s.types[url]
	if t == nil {
		t = &typeState{}
		s.types[url] = t
	}
	return t
}

func (s *stream) SendMsg(m any) error {
	url, nonce := "", ""
	switch r := m.(type) {
	case *discovery.DeltaDiscoveryResponse:
		url, nonce = r.TypeUrl, r.Nonce
	case *discovery.DiscoveryResponse:
		url, nonce = r.TypeUrl, r.Nonce
	}
	if message, ok := m.(proto.Message); ok && url != "" {
		size := proto.Size(message)
		s.all.mu.Lock()
		t := s.typeOf(url)
		t.Pushes++
		t.Bytes += size
		t.Sent = nonce
		s.all.moved++
		s.all.mu.Unlock()
	}
	return s.ServerStream.SendMsg(m)
}

func (s *stream) RecvMsg(m any) error {
	if err := s.ServerStream.RecvMsg(m); err != nil {
		return err
	}
	switch r := m.(type) {
	case *discovery.DeltaDiscoveryRequest:
		s.received(r.TypeUrl, r.ResponseNonce, r.Node, r.ErrorDetail)
	case *discovery.DiscoveryRequest:
		s.received(r.TypeUrl, r.ResponseNonce, r.Node, r.ErrorDetail)
	}
	return nil
}

func (s *stream) received(url, nonce string, node *core.Node, bad *rpcstatus.Status) {
	s.all.mu.Lock()
	defer s.all.mu.Unlock()
	s.all.moved++
	if node.GetId() != "" {
		s.node = node.GetId()
	}
	t := s.typeOf(url)
	t.Requests++
	if bad != nil {
		t.Nacks++
		t.LastError = bad.GetMessage()
	}
	if nonce != "" {
		t.Answered = nonce
	}
}

// shortType gives the usual three letters of a type URL.
func shortType(url string) string {
	name := url[strings.LastIndexByte(url, '.')+1:]
	if short, ok := map[string]string{
		"Cluster": "CDS", "ClusterLoadAssignment": "EDS", "Listener": "LDS", "RouteConfiguration": "RDS",
		"NameTable": "NDS", "Secret": "SDS", "TypedExtensionConfig": "ECDS",
	}[name]; ok {
		return short
	}
	return name
}

// count is how many streams were ever opened.
func (s *streams) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.opened
}
