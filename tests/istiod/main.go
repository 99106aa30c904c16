// SPDX-License-Identifier: Apache-2.0

// Command istiod-harness runs istiod's own discovery server over a fake Kubernetes API, listens for xDS on loopback
// and offers an HTTP port through which a test changes the mesh, breaks connections and waits for pushes to settle.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"k8s.io/apimachinery/pkg/watch"

	"istio.io/istio/pkg/keepalive"
	istiolog "istio.io/istio/pkg/log"
)

// options are the command line.
type options struct {
	dir, meshConfig, certDir, readyFile, logLevel string
	plaintext, tls, control                       string
	synthetic                                     string
	syntheticPods, exitWithStdin                  bool
	debounce, maxConnectionAge                    time.Duration
}

// ready is the line printed on stdout, and the content of --ready-file.
type ready struct {
	Ready      bool   `json:"ready"`
	PID        int    `json:"pid"`
	Plaintext  string `json:"plaintext"`
	TLS        string `json:"tls"`
	Control    string `json:"control"`
	CertDir    string `json:"cert_dir"`
	RootCert   string `json:"root_cert"`
	WrongRoot  string `json:"wrong_root"`
	ServerName string `json:"server_name"`
}

func parseFlags() *options {
	o := &options{}
	flag.StringVar(&o.dir, "dir", "", "directory of *.yaml with the first Kubernetes and Istio objects")
	flag.StringVar(&o.meshConfig, "mesh-config", "", "MeshConfig YAML, used until a ConfigMap istio-system/istio is applied")
	flag.StringVar(&o.plaintext, "plaintext", "127.0.0.1:0", "plaintext xDS address")
	flag.StringVar(&o.tls, "tls", "", "TLS + JWT xDS address (none by default)")
	flag.StringVar(&o.certDir, "cert-dir", "", "where certificates and keys are kept (a temporary directory by default)")
	flag.StringVar(&o.control, "control", "127.0.0.1:0", "HTTP control address")
	flag.DurationVar(&o.debounce, "debounce", 10*time.Millisecond, "istiod's push debounce")
	flag.DurationVar(&o.maxConnectionAge, "max-connection-age", keepalive.Infinity, "gRPC MaxConnectionAge")
	flag.StringVar(&o.readyFile, "ready-file", "", "write the ready line to this file as well")
	flag.BoolVar(&o.exitWithStdin, "exit-with-stdin", false, "exit when stdin is closed")
	flag.StringVar(&o.synthetic, "synthetic", "", "SERVICESxENDPOINTS: generate a mesh")
	flag.BoolVar(&o.syntheticPods, "synthetic-pods", false, "generate the Pods behind the endpoints too (slow)")
	flag.StringVar(&o.logLevel, "log-level", "warn", "istiod's log level, on stderr")
	flag.Parse()
	return o
}

func main() {
	// istiod logs to stdout by default; stdout is for the ready line only.
	out := os.Stdout
	os.Stdout = os.Stderr
	if err := run(parseFlags(), out); err != nil {
		fmt.Fprintln(os.Stderr, "istiod-harness:", err)
		os.Exit(1)
	}
}

func run(o *options, out *os.File) error {
	if err := configureLog(o.logLevel); err != nil {
		return err
	}
	// The fake clientset panics when a watch channel is full; make room for a burst.
	watch.DefaultChanSize = watchBuffer

	for _, addr := range []string{o.plaintext, o.tls, o.control} {
		if err := checkLoopback(addr); err != nil {
			return err
		}
	}
	world, err := firstWorld(o)
	if err != nil {
		return err
	}
	control, err := net.Listen("tcp", o.control)
	if err != nil {
		return err
	}
	h := newHarness(o, world)
	if o.tls != "" {
		if h.auth, err = newAuthority(o.certDir, "http://"+control.Addr().String()+"/jwks"); err != nil {
			return err
		}
	}
	go h.serveControl(control)
	if err := h.start(); err != nil {
		return err
	}
	if err := announce(o, h, control.Addr().String(), out); err != nil {
		return err
	}
	waitForEnd(o.exitWithStdin)
	h.gate.cutAll(false)
	return nil
}

func firstWorld(o *options) (*world, error) {
	w := newWorld()
	if o.meshConfig != "" {
		text, err := os.ReadFile(o.meshConfig)
		if err != nil {
			return nil, err
		}
		if err := w.setBaseMesh(string(text)); err != nil {
			return nil, fmt.Errorf("%s: %w", o.meshConfig, err)
		}
	}
	if o.synthetic != "" {
		spec, err := parseSynthetic(o.synthetic, o.syntheticPods)
		if err != nil {
			return nil, err
		}
		w.synthetic = spec
		if _, err := w.apply(spec.objects()); err != nil {
			return nil, err
		}
	}
	if o.dir != "" {
		items, err := parseDir(o.dir)
		if err != nil {
			return nil, err
		}
		if _, err := w.apply(items); err != nil {
			return nil, err
		}
	}
	return w, nil
}

func announce(o *options, h *harness, control string, out *os.File) error {
	line := ready{Ready: true, PID: os.Getpid(), Plaintext: h.plaintextAddr, TLS: h.tlsAddr, Control: control}
	if h.auth != nil {
		line.CertDir = h.auth.dir
		line.RootCert = filepath.Join(h.auth.dir, rootCertFile)
		line.WrongRoot = filepath.Join(h.auth.dir, wrongRootFile)
		line.ServerName = serverName
	}
	text, err := json.Marshal(line)
	if err != nil {
		return err
	}
	text = append(text, '\n')
	if o.readyFile != "" {
		tmp := o.readyFile + ".tmp"
		if err := os.WriteFile(tmp, text, 0o644); err != nil {
			return err
		}
		if err := os.Rename(tmp, o.readyFile); err != nil {
			return err
		}
	}
	_, err = out.Write(text)
	return err
}

// waitForEnd returns on SIGTERM, SIGINT or, if asked, the end of stdin.
func waitForEnd(withStdin bool) {
	done := make(chan os.Signal, 2)
	signal.Notify(done, syscall.SIGTERM, syscall.SIGINT)
	if withStdin {
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			done <- syscall.SIGTERM
		}()
	}
	<-done
}

func checkLoopback(addr string) error {
	if addr == "" {
		return nil
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return err
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return fmt.Errorf("%s: only loopback addresses are allowed", addr)
	}
	return nil
}

func configureLog(level string) error {
	o := istiolog.DefaultOptions()
	o.OutputPaths = []string{"stderr"}
	levels := map[string]istiolog.Level{
		"debug": istiolog.DebugLevel, "info": istiolog.InfoLevel, "warn": istiolog.WarnLevel,
		"error": istiolog.ErrorLevel, "none": istiolog.NoneLevel,
	}
	l, ok := levels[level]
	if !ok {
		return fmt.Errorf("unknown log level %q", level)
	}
	o.SetDefaultOutputLevel(istiolog.OverrideScopeName, l)
	return istiolog.Configure(o)
}
