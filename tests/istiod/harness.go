// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/reflection"

	istiogrpc "istio.io/istio/pilot/pkg/grpc"
	"istio.io/istio/pkg/keepalive"
	"istio.io/istio/pkg/security"
)

// reopenWait bounds how long a restart tries to get its old port back.
const reopenWait = 5 * time.Second

// harness joins the world, the running control plane and the sockets.
type harness struct {
	options *options
	auth    *authority // nil without a TLS port
	gate    *gate
	streams *streams

	plaintextAddr, tlsAddr string // chosen at the first start, kept afterwards

	mu         sync.Mutex
	world      *world
	plane      *plane // nil while stopped
	servers    []*grpc.Server
	generation int
}

var errRunning = errors.New("the control plane is running already")

func newHarness(o *options, w *world) *harness {
	return &harness{options: o, world: w, gate: newGate(), streams: newStreams(), plaintextAddr: o.plaintext, tlsAddr: o.tls}
}

// current is the running control plane, nil while stopped.
func (h *harness) current() *plane {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.plane
}

// start builds a new control plane from the world and opens the ports.
func (h *harness) start() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.plane != nil {
		return errRunning
	}
	var authenticators []security.Authenticator
	if h.auth != nil {
		var err error
		if authenticators, err = h.auth.authenticators(); err != nil {
			return err
		}
	}
	p, err := newPlane(h.world, h.options.debounce, authenticators)
	if err != nil {
		return err
	}
	if err := h.open(p); err != nil {
		h.shut()
		p.close()
		return err
	}
	h.plane = p
	h.generation++
	return nil
}

// stop ends the control plane and closes the ports; the world stays.
func (h *harness) stop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.plane == nil {
		return
	}
	h.shut()
	h.plane.close()
	h.plane = nil
}

// open serves the control plane on both ports.
func (h *harness) open(p *plane) error {
	var err error
	if h.plaintextAddr, err = h.serve(p, h.plaintextAddr, nil); err != nil {
		return err
	}
	if h.auth != nil {
		h.tlsAddr, err = h.serve(p, h.tlsAddr, credentials.NewTLS(h.auth.tlsConfig()))
	}
	return err
}

// serve makes a gRPC server with istiod's own options and returns the address it listens on.
func (h *harness) serve(p *plane, addr string, creds credentials.TransportCredentials) (string, error) {
	listener, err := listenAgain(addr)
	if err != nil {
		return addr, err
	}
	age := keepalive.DefaultOption()
	age.MaxServerConnectionAge = h.options.maxConnectionAge
	o := append(istiogrpc.ServerOptions(age, func(int64) {}), grpc.StreamInterceptor(h.streams.intercept))
	if creds != nil {
		o = append(o, grpc.Creds(creds))
	}
	server := grpc.NewServer(o...)
	p.Discovery.Register(server)
	reflection.Register(server)
	h.servers = append(h.servers, server)
	go func() { _ = server.Serve(h.gate.listen(listener)) }()
	return listener.Addr().String(), nil
}

// shut cuts all connections as a dying process would, then ends the servers.
func (h *harness) shut() {
	h.gate.cutAll(false)
	for _, s := range h.servers {
		s.Stop()
	}
	h.servers = nil
}

// listenAgain listens, trying for a while when the port is still taken.
func listenAgain(addr string) (net.Listener, error) {
	deadline := time.Now().Add(reopenWait)
	for {
		l, err := net.Listen("tcp", addr)
		if err == nil || time.Now().After(deadline) {
			return l, err
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// apply creates or updates objects, in the world and in the running control plane.
func (h *harness) apply(items []*item) (*summary, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	changes, err := h.world.apply(items)
	if err != nil {
		return nil, err
	}
	return summarize(changes), h.follow(changes)
}

// remove deletes objects.
func (h *harness) remove(keys []key) (*summary, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	changes, missing := h.world.remove(keys)
	s := summarize(changes)
	s.Missing = missing
	return s, h.follow(changes)
}

// replace makes the world hold exactly these objects.
func (h *harness) replace(items []*item) (*summary, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	changes, err := h.world.apply(items)
	if err != nil {
		return nil, err
	}
	gone, _ := h.world.remove(h.world.without(items))
	changes = append(changes, gone...)
	return summarize(changes), h.follow(changes)
}

// find names existing objects by kind, namespace and name.
func (h *harness) find(kind, namespace, name string) ([]key, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	keys := h.world.find(kind, namespace, name)
	if len(keys) == 0 {
		return nil, fmt.Errorf("no %s %s/%s", kind, namespace, name)
	}
	return keys, nil
}

// resize changes the number of endpoints of a generated service.
func (h *harness) resize(service, count int) (*summary, error) {
	h.mu.Lock()
	spec := h.world.synthetic
	h.mu.Unlock()
	if spec == nil {
		return nil, errors.New("the harness was started without --synthetic")
	}
	items, err := spec.resize(service, count)
	if err != nil {
		return nil, err
	}
	return h.apply(items)
}

func (h *harness) follow(changes []change) error {
	if h.plane == nil {
		return nil
	}
	return h.plane.follow(h.world, changes)
}
