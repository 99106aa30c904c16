// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"reflect"
	"time"
)

const (
	quiesceTick   = 5 * time.Millisecond
	quiesceSettle = 60 * time.Millisecond
)

// quiesceRequest says what to wait for.
type quiesceRequest struct {
	deadline time.Time
	settle   time.Duration // how long nothing may move
	clients  int           // at least so many streams
	acks     bool          // every push must be answered
}

// pulse is everything that moves when a change travels through istiod.
type pulse struct {
	inbound, committed int64
	moved              int
}

// quiesce waits until istiod has taken in, pushed and had acknowledged whatever was applied before the call. istiod has
// no such notion, so its queues are looked at; the last gaps between them are covered by the settle time.
func (h *harness) quiesce(r quiesceRequest) error {
	var last pulse
	since := time.Now()
	for {
		now, reason := h.look(r)
		if reason != "" || now != last {
			last, since = now, time.Now()
		}
		if reason == "" && time.Since(since) >= r.settle {
			return nil
		}
		if time.Now().After(r.deadline) {
			if reason == "" {
				reason = "pushes keep coming"
			}
			return fmt.Errorf("not quiet: %s", reason)
		}
		time.Sleep(quiesceTick)
	}
}

// look takes the pulse and says why istiod is not quiet, if it is not.
func (h *harness) look(r quiesceRequest) (pulse, string) {
	p := h.current()
	if p == nil {
		return pulse{}, "the control plane is stopped"
	}
	list, moved := h.streams.state()
	d := p.Discovery
	now := pulse{d.InboundUpdates.Load(), d.CommittedUpdates.Load(), moved}
	if now.committed < now.inbound {
		return now, fmt.Sprintf("%d updates wait for a push", now.inbound-now.committed)
	}
	if n := p.queued(); n > 0 {
		return now, fmt.Sprintf("%d events or pushes are queued", n)
	}
	if n := p.busy.count.Load(); n > 0 {
		return now, fmt.Sprintf("%d answers are being generated", n)
	}
	if len(list) < r.clients {
		return now, fmt.Sprintf("%d of %d clients are connected", len(list), r.clients)
	}
	for _, s := range list {
		for name, t := range s.Types {
			if r.acks && t.Sent != t.Answered {
				return now, fmt.Sprintf("%s has not answered the last %s push", s.Node, name)
			}
		}
	}
	return now, ""
}

// queued counts what waits inside istiod. These fields are not exported; the module version is pinned, and only lengths
// are read.
func (p *plane) queued() int {
	push := reflect.ValueOf(p.Discovery).Elem().FieldByName("pushQueue").Elem()
	registry := reflect.ValueOf(p.KubeRegistry.Controller).Elem().FieldByName("queue").Elem().Elem()
	return push.FieldByName("pending").Len() + push.FieldByName("processing").Len() + registry.FieldByName("tasks").Len()
}
