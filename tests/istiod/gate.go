// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net"
	"sync"
)

// gate stands between the xDS servers and their sockets: it can hold all bytes back and cut connections.
type gate struct {
	mu       sync.Mutex
	resumed  *sync.Cond
	paused   bool
	armNext  int // bytes after which the next accepted connection is cut, 0: not armed
	conns    map[*gatedConn]bool
	accepted int
	cuts     int
}

// gateState is the gate's part of GET /state.
type gateState struct {
	Paused   bool `json:"paused"`
	Open     int  `json:"open"`
	Accepted int  `json:"accepted"`
	Cuts     int  `json:"cuts"`
}

func newGate() *gate {
	g := &gate{conns: map[*gatedConn]bool{}}
	g.resumed = sync.NewCond(&g.mu)
	return g
}

func (g *gate) listen(l net.Listener) net.Listener { return &gatedListener{l, g} }

func (g *gate) pause(on bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.paused = on
	g.resumed.Broadcast()
}

// cutAll closes every connection, by RST if abrupt, and returns how many there were.
func (g *gate) cutAll(abrupt bool) int {
	g.mu.Lock()
	conns := make([]*gatedConn, 0, len(g.conns))
	for c := range g.conns {
		conns = append(conns, c)
	}
	g.cuts += len(conns)
	g.mu.Unlock()
	for _, c := range conns {
		c.cut(abrupt)
	}
	return len(conns)
}

// arm lets every open connection, or only the next one accepted, break after it has sent that many more bytes.
func (g *gate) arm(bytes int, next bool) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	if next {
		g.armNext = bytes
		return 0
	}
	for c := range g.conns {
		c.budget = bytes
	}
	return len(g.conns)
}

func (g *gate) state() gateState {
	g.mu.Lock()
	defer g.mu.Unlock()
	return gateState{g.paused, len(g.conns), g.accepted, g.cuts}
}

type gatedListener struct {
	net.Listener
	gate *gate
}

func (l *gatedListener) Accept() (net.Conn, error) {
	inner, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	g := l.gate
	g.mu.Lock()
	defer g.mu.Unlock()
	c := &gatedConn{Conn: inner, gate: g, budget: g.armNext}
	g.armNext = 0
	g.accepted++
	g.conns[c] = true
	return c, nil
}

type gatedConn struct {
	net.Conn
	gate *gate
	// guarded by the gate's lock
	closed bool
	budget int // bytes still to be written before the cut, 0: no cut
}

func (c *gatedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.wait()
	return n, err
}

func (c *gatedConn) Write(b []byte) (int, error) {
	c.wait()
	keep, cut := c.spend(len(b))
	n, err := c.Conn.Write(b[:keep])
	if cut {
		c.cut(false) // FIN after the last byte, so that the peer surely gets the torn message
		return n, net.ErrClosed
	}
	return n, err
}

func (c *gatedConn) Close() error {
	c.gate.mu.Lock()
	c.closed = true
	delete(c.gate.conns, c)
	c.gate.resumed.Broadcast()
	c.gate.mu.Unlock()
	return c.Conn.Close()
}

func (c *gatedConn) wait() {
	c.gate.mu.Lock()
	defer c.gate.mu.Unlock()
	for c.gate.paused && !c.closed {
		c.gate.resumed.Wait()
	}
}

// spend takes n bytes from the budget and says how many of them may still be written, and whether the end is reached.
func (c *gatedConn) spend(n int) (keep int, cut bool) {
	c.gate.mu.Lock()
	defer c.gate.mu.Unlock()
	if c.budget == 0 {
		return n, false
	}
	if n < c.budget {
		c.budget -= n
		return n, false
	}
	keep, c.budget = c.budget, 0
	c.gate.cuts++
	return keep, true
}

func (c *gatedConn) cut(abrupt bool) {
	if tcp, ok := c.Conn.(*net.TCPConn); ok && abrupt {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
}
