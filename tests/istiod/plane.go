// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/meta"

	meshconfig "istio.io/api/mesh/v1alpha1"
	"istio.io/istio/pilot/pkg/model"
	"istio.io/istio/pilot/test/xds"
	"istio.io/istio/pkg/config/mesh/meshwatcher"
	kubelib "istio.io/istio/pkg/kube"
	"istio.io/istio/pkg/kube/controllers"
	"istio.io/istio/pkg/kube/kclient"
	"istio.io/istio/pkg/security"
)

const (
	// watchBuffer bounds the events of one kind that may be under way in the fake clientset.
	watchBuffer = 1 << 14
	// applyBatch objects are applied before waiting until the informers have seen them.
	applyBatch   = watchBuffer / 4
	informerWait = 30 * time.Second
)

// plane is one life of the control plane.
type plane struct {
	*xds.FakeDiscoveryServer
	failer    *failer
	networks  meshwatcher.TestNetworksWatcher
	informers map[string]func(name, namespace string) controllers.Object
	busy      inflight
}

// newPlane builds istiod from the world. It serves nobody yet.
func newPlane(w *world, debounce time.Duration, authenticators []security.Authenticator) (*plane, error) {
	m, networks, err := w.mesh()
	if err != nil {
		return nil, err
	}
	p := &plane{failer: &failer{}, networks: meshwatcher.NewFixedNetworksWatcher(networks)}
	kube, istio := w.objects()
	err = p.failer.attempt(func() {
		p.FakeDiscoveryServer = xds.NewFakeDiscoveryServer(p.failer, xds.FakeOptions{
			Configs:         istio,
			MeshConfig:      m,
			NetworksWatcher: p.networks,
			DebounceTime:    debounce,
			KubeClientModifier: func(c kubelib.Client) {
				if err := fill(c, kube); err != nil {
					p.failer.Fatal(err)
				}
				p.watchInformers(c)
			},
		})
	})
	if err != nil {
		p.failer.runCleanups(time.Second)
		return nil, err
	}
	p.Discovery.Authenticators = authenticators
	p.busy.wrap(p.Discovery.Generators)
	// As istiod's bootstrap does.
	p.Env().Watcher.AddMeshHandler(func() {
		p.Discovery.ConfigUpdate(&model.PushRequest{Reason: model.NewReasonStats(model.GlobalUpdate), Forced: true})
	})
	return p, nil
}

func (p *plane) close() { p.failer.runCleanups(10 * time.Second) }

// watchInformers gets hold of the informers that istiod uses, before they are started.
func (p *plane) watchInformers(c kubelib.Client) {
	p.informers = map[string]func(string, string) controllers.Object{
		"Namespace":     lookup(kclient.New[*corev1.Namespace](c)),
		"Service":       lookup(kclient.New[*corev1.Service](c)),
		"EndpointSlice": lookup(kclient.New[*discoveryv1.EndpointSlice](c)),
		"Node": lookup(kclient.NewFiltered[*corev1.Node](c,
			kclient.Filter{ObjectTransform: kubelib.StripNodeUnusedFields})),
		"Pod": lookup(kclient.NewFiltered[*corev1.Pod](c,
			kclient.Filter{ObjectTransform: kubelib.StripPodUnusedFields})),
	}
}

func lookup[T controllers.ComparableObject](c kclient.Client[T]) func(name, namespace string) controllers.Object {
	return func(name, namespace string) controllers.Object {
		var none T
		if o := c.Get(name, namespace); o != none {
			return o
		}
		return nil
	}
}

// follow brings the control plane to what the world has become, and returns when its informers have seen it.
func (p *plane) follow(w *world, changes []change) error {
	meshChanged := false
	for start := 0; start < len(changes); start += applyBatch {
		batch := changes[start:min(start+applyBatch, len(changes))]
		for _, c := range batch {
			if c.old == c.new {
				continue
			}
			if err := p.followOne(c); err != nil {
				return err
			}
			k := c.old
			if c.new != nil {
				k = c.new
			}
			meshChanged = meshChanged || isMeshConfigMap(k.key)
		}
		if err := p.awaitInformers(batch); err != nil {
			return err
		}
	}
	if !meshChanged {
		return nil
	}
	m, networks, err := w.mesh()
	if err != nil {
		return err
	}
	p.setMesh(m, networks)
	return nil
}

// setMesh changes the mesh configuration of the running control plane. The Kubernetes registry keeps its own copy, so
// discoverySelectors take effect at the next start.
func (p *plane) setMesh(m *meshconfig.MeshConfig, networks *meshconfig.MeshNetworks) {
	p.Env().Watcher.(meshwatcher.TestWatcher).Set(m)
	p.networks.SetNetworks(networks)
}

func (p *plane) followOne(c change) error {
	if (c.new != nil && c.new.istio != nil) || (c.new == nil && c.old.istio != nil) {
		return p.followIstio(c)
	}
	return p.followKube(c)
}

func (p *plane) followIstio(c change) error {
	var err error
	switch {
	case c.new == nil:
		err = p.Store().Delete(c.old.istio.GroupVersionKind, c.old.key.Name, c.old.key.Namespace, nil)
	case c.old == nil:
		_, err = p.Store().Create(c.new.istio.DeepCopy())
	default:
		_, err = p.Store().Update(c.new.istio.DeepCopy())
	}
	return err
}

func (p *plane) followKube(c change) error {
	it := c.new
	if it == nil {
		it = c.old
	}
	tracker, err := trackerOf(p.KubeClient(), it.key.Group)
	if err != nil {
		return err
	}
	resource := resourceOf(it.kube.GetObjectKind().GroupVersionKind())
	switch {
	case c.new == nil:
		return tracker.Delete(resource, it.key.Namespace, it.key.Name)
	case c.old == nil:
		return tracker.Create(resource, it.kube, it.key.Namespace)
	default:
		return tracker.Update(resource, it.kube, it.key.Namespace)
	}
}

func (p *plane) awaitInformers(changes []change) error {
	deadline := time.Now().Add(informerWait)
	for _, c := range changes {
		for !p.informed(c) {
			if time.Now().After(deadline) {
				return fmt.Errorf("the informers did not see every change within %v", informerWait)
			}
			time.Sleep(time.Millisecond)
		}
	}
	return nil
}

func (p *plane) informed(c change) bool {
	it := c.new
	if it == nil {
		it = c.old
	}
	get := p.informers[it.key.Kind]
	if get == nil || it.kube == nil {
		return true
	}
	seen := get(it.key.Name, it.key.Namespace)
	if c.new == nil {
		return seen == nil
	}
	want, err := meta.Accessor(it.kube)
	return err == nil && seen != nil && seen.GetResourceVersion() == want.GetResourceVersion()
}
