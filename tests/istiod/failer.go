// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"runtime"
	"sync"
	"time"
)

// failer implements istio's test.Failer outside the testing package. Fatal ends the calling goroutine, as in a test,
// so whatever may call it runs under attempt.
type failer struct {
	mu       sync.Mutex
	err      error
	cleanups []func()
}

func (f *failer) Fail()                   { f.Fatal("failed") }
func (f *failer) FailNow()                { f.Fatal("failed") }
func (f *failer) Skip(args ...any)        { f.Fatal(args...) }
func (f *failer) Log(args ...any)         { fmt.Fprintln(os.Stderr, args...) }
func (f *failer) Logf(s string, a ...any) { fmt.Fprintf(os.Stderr, s+"\n", a...) }
func (f *failer) Helper()                 {}

func (f *failer) Fatalf(s string, a ...any) { f.Fatal(fmt.Sprintf(s, a...)) }

func (f *failer) Fatal(args ...any) {
	f.mu.Lock()
	if f.err == nil {
		f.err = fmt.Errorf("%s", fmt.Sprint(args...))
		fmt.Fprintln(os.Stderr, "istiod-harness: control plane:", f.err)
	}
	f.mu.Unlock()
	runtime.Goexit()
}

func (f *failer) TempDir() string {
	dir, err := os.MkdirTemp("", "istiod-harness")
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func (f *failer) Cleanup(fn func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cleanups = append(f.cleanups, fn)
}

// attempt runs fn in a goroutine of its own and returns what it failed with.
func (f *failer) attempt(fn func()) error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		fn()
	}()
	<-done
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

// runCleanups undoes everything, last first, and gives up waiting after the limit: a stuck part of a control plane
// that nobody uses any more must not hold up a restart.
func (f *failer) runCleanups(limit time.Duration) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := len(f.cleanups) - 1; i >= 0; i-- {
			f.cleanups[i]()
		}
	}()
	select {
	case <-done:
	case <-time.After(limit):
		fmt.Fprintln(os.Stderr, "istiod-harness: the old control plane did not stop in time, left behind")
	}
}
