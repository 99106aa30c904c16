// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"
)

const (
	maxBody          = 256 << 20
	defaultDeadline  = 10 * time.Second
	defaultCutBytes  = 2000
	defaultTokenLife = 3600
)

// state is the answer of GET /state and of a successful GET /quiesce.
type state struct {
	Running     bool           `json:"running"`
	Generation  int            `json:"generation"`
	PushVersion string         `json:"push_version"`
	Inbound     int64          `json:"inbound"`
	Committed   int64          `json:"committed"`
	TCP         gateState      `json:"tcp"`
	Connections []streamState  `json:"connections"`
	Opened      int            `json:"opened"`
	Objects     map[string]int `json:"objects"`
}

// handler answers one control request with a value to be shown as JSON.
type handler func(r *http.Request) (any, error)

// serveControl serves the control port until the process ends.
func (h *harness) serveControl(l net.Listener) {
	mux := http.NewServeMux()
	for pattern, f := range map[string]handler{
		"POST /apply":               h.handleApply,
		"POST /delete":              h.handleDelete,
		"POST /replace-dir":         h.handleReplaceDir,
		"POST /synthetic/endpoints": h.handleResize,
		"POST /cut":                 h.handleCut,
		"POST /pause":               func(*http.Request) (any, error) { h.gate.pause(true); return h.gate.state(), nil },
		"POST /resume":              func(*http.Request) (any, error) { h.gate.pause(false); return h.gate.state(), nil },
		"POST /stop-xds":            func(*http.Request) (any, error) { h.stop(); return h.state(), nil },
		"POST /start-xds":           func(*http.Request) (any, error) { err := h.start(); return h.state(), err },
		"GET /state":                func(*http.Request) (any, error) { return h.state(), nil },
		"GET /quiesce":              h.handleQuiesce,
	} {
		mux.HandleFunc(pattern, answer(f))
	}
	mux.HandleFunc("POST /token", h.handleToken)
	mux.HandleFunc("GET /jwks", h.handleJWKS)
	mux.HandleFunc("/debug/", h.handleDebug)
	fmt.Fprintln(os.Stderr, "istiod-harness: control port ended:", http.Serve(l, mux))
}

// errTimeout marks a deadline that passed; everything else is the caller's fault.
var errTimeout = errors.New("deadline passed")

func answer(f handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		value, err := f(r)
		code := http.StatusOK
		switch {
		case errors.Is(err, errTimeout):
			code, value = http.StatusGatewayTimeout, map[string]any{"error": err.Error(), "state": value}
		case errors.Is(err, errRunning):
			code, value = http.StatusConflict, map[string]any{"error": err.Error()}
		case err != nil:
			code, value = http.StatusBadRequest, map[string]any{"error": err.Error()}
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		_ = json.NewEncoder(w).Encode(value)
	}
}

func body(r *http.Request) ([]*item, error) {
	text, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err != nil {
		return nil, err
	}
	return parseYAML(text)
}

func number(r *http.Request, name string, otherwise int) (int, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, fmt.Errorf("%s=%s: not a number", name, text)
	}
	return n, nil
}

func duration(r *http.Request, name string, otherwise time.Duration) (time.Duration, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return otherwise, nil
	}
	return time.ParseDuration(text)
}

func word(r *http.Request, name, otherwise string) string {
	if text := r.URL.Query().Get(name); text != "" {
		return text
	}
	return otherwise
}

func (h *harness) handleApply(r *http.Request) (any, error) {
	items, err := body(r)
	if err != nil {
		return nil, err
	}
	return h.apply(items)
}

func (h *harness) handleDelete(r *http.Request) (any, error) {
	if kind := word(r, "kind", ""); kind != "" {
		keys, err := h.find(kind, word(r, "namespace", defaultNamespace), word(r, "name", ""))
		if err != nil {
			return nil, err
		}
		return h.remove(keys)
	}
	items, err := body(r)
	if err != nil {
		return nil, err
	}
	keys := make([]key, 0, len(items))
	for _, it := range items {
		keys = append(keys, it.key)
	}
	return h.remove(keys)
}

func (h *harness) handleReplaceDir(r *http.Request) (any, error) {
	items, err := parseDir(word(r, "dir", ""))
	if err != nil {
		return nil, err
	}
	return h.replace(items)
}

func (h *harness) handleResize(r *http.Request) (any, error) {
	service, err := number(r, "service", -1)
	if err != nil {
		return nil, err
	}
	count, err := number(r, "count", -1)
	if err != nil {
		return nil, err
	}
	return h.resize(service, count)
}

func (h *harness) handleCut(r *http.Request) (any, error) {
	if word(r, "mid-push", "0") != "1" {
		return map[string]int{"cut": h.gate.cutAll(word(r, "how", "rst") == "rst")}, nil
	}
	bytes, err := number(r, "bytes", defaultCutBytes)
	if err != nil || bytes < 1 {
		return nil, fmt.Errorf("bytes must be a positive number")
	}
	return map[string]int{"armed": h.gate.arm(bytes, word(r, "next", "0") == "1")}, nil
}

func (h *harness) handleQuiesce(r *http.Request) (any, error) {
	wait, err := duration(r, "deadline", defaultDeadline)
	if err != nil {
		return nil, err
	}
	settle, err := duration(r, "settle", quiesceSettle+2*h.options.debounce)
	if err != nil {
		return nil, err
	}
	clients, err := number(r, "clients", 0)
	if err != nil {
		return nil, err
	}
	q := quiesceRequest{time.Now().Add(wait), settle, clients, word(r, "acks", "1") == "1"}
	if err := h.quiesce(q); err != nil {
		return h.state(), fmt.Errorf("%w: %w", errTimeout, err)
	}
	return h.state(), nil
}

func (h *harness) handleToken(w http.ResponseWriter, r *http.Request) {
	if h.auth == nil {
		http.Error(w, "the harness was started without --tls", http.StatusBadRequest)
		return
	}
	life, err := number(r, "expires_in", defaultTokenLife)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	text, err := h.auth.token(word(r, "namespace", defaultNamespace), word(r, "sa", "default"),
		word(r, "audience", tokenAudience), time.Duration(life)*time.Second)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	_, _ = io.WriteString(w, text)
}

func (h *harness) handleJWKS(w http.ResponseWriter, _ *http.Request) {
	if h.auth == nil {
		http.Error(w, "no TLS port", http.StatusNotFound)
		return
	}
	text, err := h.auth.jwks()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(text)
}

func (h *harness) handleDebug(w http.ResponseWriter, r *http.Request) {
	p := h.current()
	if p == nil {
		http.Error(w, "the control plane is stopped", http.StatusServiceUnavailable)
		return
	}
	p.DiscoveryDebug.ServeHTTP(w, r)
}

func (h *harness) state() state {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := state{Running: h.plane != nil, Generation: h.generation, TCP: h.gate.state(), Objects: h.world.counts()}
	s.Connections, _ = h.streams.state()
	s.Opened = h.streams.count()
	if h.plane != nil {
		s.PushVersion = h.plane.PushContext().PushVersion
		s.Inbound = h.plane.Discovery.InboundUpdates.Load()
		s.Committed = h.plane.Discovery.CommittedUpdates.Load()
	}
	return s
}
