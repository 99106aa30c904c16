// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	kubeyaml "k8s.io/apimachinery/pkg/util/yaml"

	"istio.io/istio/pilot/pkg/config/kube/crd"
	"istio.io/istio/pkg/config"
	"istio.io/istio/pkg/config/schema/gvk"
	kubelib "istio.io/istio/pkg/kube"
)

const (
	defaultNamespace = "default"
	clusterDomain    = "cluster.local"
)

// key names an object in the world.
type key struct {
	Group, Kind, Namespace, Name string
}

func (k key) String() string {
	return strings.TrimPrefix(k.Kind+"/"+k.Namespace+"/"+k.Name, "/")
}

// item is one object: exactly one of kube and istio is set.
type item struct {
	key   key
	kube  runtime.Object
	istio *config.Config
	// source is the canonical JSON, to tell an unchanged object from a changed one.
	source string
}

// clusterScoped lists the kinds without a namespace that a test may apply.
var clusterScoped = map[string]bool{
	"Node": true, "Namespace": true, "GatewayClass": true, "IngressClass": true, "CustomResourceDefinition": true,
}

// parseDir reads every *.yaml, *.yml and *.json file below dir, in the order of their paths.
func parseDir(dir string) ([]*item, error) {
	var paths []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		switch filepath.Ext(path) {
		case ".yaml", ".yml", ".json":
			if !d.IsDir() {
				paths = append(paths, path)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	sort.Strings(paths)
	var items []*item
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		more, err := parseYAML(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		items = append(items, more...)
	}
	return items, nil
}

// parseYAML reads a stream of YAML or JSON documents; a List counts as its items.
func parseYAML(text []byte) ([]*item, error) {
	documents, err := splitDocuments(text)
	if err != nil {
		return nil, err
	}
	items := make([]*item, 0, len(documents))
	for _, d := range documents {
		it, err := parseObject(d)
		if err != nil {
			return nil, err
		}
		items = append(items, it)
	}
	return items, nil
}

func splitDocuments(text []byte) ([]map[string]any, error) {
	var out []map[string]any
	decoder := kubeyaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), 1<<20)
	for {
		var document map[string]any
		if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
			return out, nil
		} else if err != nil {
			return nil, err
		}
		if len(document) == 0 {
			continue
		}
		list, isList := document["items"].([]any)
		if kind, _ := document["kind"].(string); !isList || !strings.HasSuffix(kind, "List") {
			out = append(out, document)
			continue
		}
		for _, entry := range list {
			object, ok := entry.(map[string]any)
			if !ok {
				return nil, errors.New("a List holds something that is not an object")
			}
			out = append(out, object)
		}
	}
}

func parseObject(document map[string]any) (*item, error) {
	text, err := json.Marshal(document)
	if err != nil {
		return nil, err
	}
	apiVersion, _ := document["apiVersion"].(string)
	kind, _ := document["kind"].(string)
	gv, err := schema.ParseGroupVersion(apiVersion)
	if err != nil || kind == "" || apiVersion == "" {
		return nil, fmt.Errorf("an object without a proper apiVersion and kind: %.120s", text)
	}
	var it *item
	if strings.HasSuffix(gv.Group, ".istio.io") {
		it, err = parseIstio(text)
	} else {
		it, err = parseKube(text)
	}
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", kind, nameOf(document), err)
	}
	it.source = string(text)
	return it, nil
}

func nameOf(document map[string]any) string {
	metadata, _ := document["metadata"].(map[string]any)
	name, _ := metadata["name"].(string)
	namespace, _ := metadata["namespace"].(string)
	return namespace + "/" + name
}

func parseIstio(text []byte) (*item, error) {
	configs, others, err := crd.ParseInputs(string(text))
	if err != nil {
		return nil, err
	}
	if len(configs) != 1 || len(others) != 0 {
		return nil, errors.New("istiod does not know this kind")
	}
	c := &configs[0]
	// ParseInputs leaves the domain empty, but short host names are completed with it.
	c.Domain = clusterDomain
	if c.Namespace == "" {
		c.Namespace = defaultNamespace
	}
	c.ResourceVersion = ""
	return &item{key: key{c.GroupVersionKind.Group, c.GroupVersionKind.Kind, c.Namespace, c.Name}, istio: c}, nil
}

func parseKube(text []byte) (*item, error) {
	object, kind, err := kubelib.IstioCodec.UniversalDeserializer().Decode(text, nil, nil)
	if err != nil {
		return nil, err
	}
	m, err := meta.Accessor(object)
	if err != nil {
		return nil, err
	}
	if m.GetNamespace() == "" && !clusterScoped[kind.Kind] {
		m.SetNamespace(defaultNamespace)
	}
	applyServerDefaults(object)
	return kubeItem(object, *kind), nil
}

func kubeItem(object runtime.Object, kind schema.GroupVersionKind) *item {
	object.GetObjectKind().SetGroupVersionKind(kind)
	m := object.(metav1.Object)
	return &item{key: key{kind.Group, kind.Kind, m.GetNamespace(), m.GetName()}, kube: object}
}

// resourceOf gives the REST resource of a Kubernetes object.
func resourceOf(kind schema.GroupVersionKind) schema.GroupVersionResource {
	if r, ok := gvk.ToGVR(config.FromKubernetesGVK(kind)); ok {
		if r.Group == "core" {
			r.Group = ""
		}
		return r
	}
	r, _ := meta.UnsafeGuessKindToResource(kind)
	return r
}
