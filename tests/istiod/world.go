// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"sort"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	meshconfig "istio.io/api/mesh/v1alpha1"
	"istio.io/istio/pkg/config"
	"istio.io/istio/pkg/config/mesh"
)

const (
	systemNamespace = "istio-system"
	meshConfigMap   = "istio"
)

// world is what the cluster holds, whether or not a control plane runs; a new control plane starts from it.
// The harness' lock guards it.
type world struct {
	items     map[key]*item
	implicit  map[key]bool // namespaces made because something lives in them
	baseMesh  string
	synthetic *synthetic
	version   int // last resource version given out
}

// change is what one request did; a nil new item is a deletion.
type change struct {
	old, new *item
}

// summary is the answer to a request that changes the world.
type summary struct {
	Created   []string `json:"created,omitempty"`
	Updated   []string `json:"updated,omitempty"`
	Unchanged []string `json:"unchanged,omitempty"`
	Deleted   []string `json:"deleted,omitempty"`
	Missing   []string `json:"missing,omitempty"`
}

func newWorld() *world {
	return &world{items: map[key]*item{}, implicit: map[key]bool{}}
}

// apply creates or updates every item, and the namespaces they need. Either everything is accepted or nothing.
func (w *world) apply(items []*item) ([]change, error) {
	items = w.withNamespaces(items)
	for _, it := range items {
		if isMeshConfigMap(it.key) {
			if _, _, err := readMesh(it.kube.(*corev1.ConfigMap), w.baseMesh); err != nil {
				return nil, err
			}
		}
	}
	now := time.Now()
	var changes []change
	for _, it := range items {
		old := w.items[it.key]
		if old != nil && old.source != "" && old.source == it.source {
			changes = append(changes, change{old, old})
			continue
		}
		w.stamp(it, old, now)
		w.items[it.key] = it
		changes = append(changes, change{old, it})
	}
	sort.SliceStable(changes, func(i, j int) bool { return rank(changes[i].new.key) < rank(changes[j].new.key) })
	return changes, nil
}

// remove deletes the named objects; those that do not exist are returned as missing.
func (w *world) remove(keys []key) (changes []change, missing []string) {
	for _, k := range keys {
		old := w.items[k]
		if old == nil {
			missing = append(missing, k.String())
			continue
		}
		delete(w.items, k)
		changes = append(changes, change{old: old})
	}
	sort.SliceStable(changes, func(i, j int) bool { return rank(changes[i].old.key) > rank(changes[j].old.key) })
	return changes, missing
}

// find completes a kind, namespace and name given by hand to keys of existing objects.
func (w *world) find(kind, namespace, name string) []key {
	var out []key
	for k := range w.items {
		if k.Kind == kind && k.Name == name && (k.Namespace == namespace || k.Namespace == "") {
			out = append(out, k)
		}
	}
	return out
}

// without lists the keys that are not among the items, leaving out namespaces that nobody asked for.
func (w *world) without(items []*item) []key {
	keep := map[key]bool{}
	for _, it := range items {
		keep[it.key] = true
	}
	var out []key
	for k := range w.items {
		if !keep[k] && !w.implicit[k] {
			out = append(out, k)
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].String() < out[j].String() })
	return out
}

func (w *world) withNamespaces(items []*item) []*item {
	given := map[key]bool{}
	for _, it := range items {
		given[it.key] = true
		delete(w.implicit, it.key)
	}
	names := []string{systemNamespace}
	for _, it := range items {
		if it.key.Namespace != "" {
			names = append(names, it.key.Namespace)
		}
	}
	out := append([]*item{}, items...)
	for _, name := range names {
		k := key{Kind: "Namespace", Name: name}
		if given[k] || w.items[k] != nil {
			continue
		}
		given[k], w.implicit[k] = true, true
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
		applyServerDefaults(ns)
		out = append(out, kubeItem(ns, corev1.SchemeGroupVersion.WithKind("Namespace")))
	}
	return out
}

// stamp gives creation times (one for all objects of a request, kept over updates) and resource versions, without
// which istiod takes an update for a repetition.
func (w *world) stamp(it, old *item, now time.Time) {
	w.version++
	if it.istio != nil {
		if it.istio.CreationTimestamp.IsZero() {
			it.istio.CreationTimestamp = now
		}
		if old != nil {
			it.istio.CreationTimestamp = old.istio.CreationTimestamp
		}
		return
	}
	m := it.kube.(metav1.Object)
	m.SetResourceVersion(fmt.Sprint(w.version))
	created := m.GetCreationTimestamp()
	if created.IsZero() {
		created = metav1.NewTime(now)
	}
	if old != nil {
		created = old.kube.(metav1.Object).GetCreationTimestamp()
	}
	m.SetCreationTimestamp(created)
}

// objects returns everything in a fixed order, Kubernetes' and Istio's apart.
func (w *world) objects() (kube []runtime.Object, istio []config.Config) {
	keys := make([]key, 0, len(w.items))
	for k := range w.items {
		keys = append(keys, k)
	}
	sort.Slice(keys, func(i, j int) bool {
		if a, b := rank(keys[i]), rank(keys[j]); a != b {
			return a < b
		}
		return keys[i].String() < keys[j].String()
	})
	for _, k := range keys {
		if it := w.items[k]; it.istio != nil {
			istio = append(istio, *it.istio)
		} else {
			kube = append(kube, it.kube)
		}
	}
	return kube, istio
}

func (w *world) counts() map[string]int {
	out := map[string]int{}
	for k := range w.items {
		out[k.Kind]++
	}
	return out
}

func (w *world) setBaseMesh(text string) error {
	if _, err := mesh.ApplyMeshConfigDefaults(text); err != nil {
		return err
	}
	w.baseMesh = text
	return nil
}

// mesh gives the MeshConfig and the networks in force; nil networks mean none.
func (w *world) mesh() (*meshconfig.MeshConfig, *meshconfig.MeshNetworks, error) {
	if it := w.items[key{Kind: "ConfigMap", Namespace: systemNamespace, Name: meshConfigMap}]; it != nil {
		return readMesh(it.kube.(*corev1.ConfigMap), w.baseMesh)
	}
	m, err := mesh.ApplyMeshConfigDefaults(w.baseMesh)
	return m, nil, err
}

func isMeshConfigMap(k key) bool {
	return k.Kind == "ConfigMap" && k.Namespace == systemNamespace && k.Name == meshConfigMap
}

func readMesh(cm *corev1.ConfigMap, base string) (*meshconfig.MeshConfig, *meshconfig.MeshNetworks, error) {
	text, ok := cm.Data["mesh"]
	if !ok {
		text = base
	}
	m, err := mesh.ApplyMeshConfigDefaults(text)
	if err != nil {
		return nil, nil, fmt.Errorf("ConfigMap istio, key mesh: %w", err)
	}
	var networks *meshconfig.MeshNetworks
	if text := cm.Data["meshNetworks"]; text != "" {
		if networks, err = mesh.ParseMeshNetworks(text); err != nil {
			return nil, nil, fmt.Errorf("ConfigMap istio, key meshNetworks: %w", err)
		}
	}
	return m, networks, nil
}

// rank orders the kinds so that an object comes after what it refers to.
func rank(k key) int {
	for i, kind := range []string{"Namespace", "ConfigMap", "Node", "Pod", "Service", "EndpointSlice"} {
		if k.Kind == kind {
			return i
		}
	}
	return 6
}

func summarize(changes []change) *summary {
	s := &summary{}
	for _, c := range changes {
		switch {
		case c.new == nil:
			s.Deleted = append(s.Deleted, c.old.key.String())
		case c.old == nil:
			s.Created = append(s.Created, c.new.key.String())
		case c.old == c.new:
			s.Unchanged = append(s.Unchanged, c.new.key.String())
		default:
			s.Updated = append(s.Updated, c.new.key.String())
		}
	}
	return s
}
