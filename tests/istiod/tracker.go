// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"reflect"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clienttesting "k8s.io/client-go/testing"

	kubelib "istio.io/istio/pkg/kube"
)

const gatewayGroup = "gateway.networking.k8s.io"

// trackerOf gives the store behind the fake clientset of an API group. The store that keeps managed fields takes
// milliseconds for each object, so the plain one below it is used.
func trackerOf(c kubelib.Client, group string) (clienttesting.ObjectTracker, error) {
	var set any = c.Kube()
	if group == gatewayGroup {
		set = c.GatewayAPI()
	}
	fake, ok := set.(interface {
		Tracker() clienttesting.ObjectTracker
	})
	if !ok {
		return nil, fmt.Errorf("no fake clientset for API group %q", group)
	}
	tracker := fake.Tracker()
	if v := reflect.Indirect(reflect.ValueOf(tracker)); v.Kind() == reflect.Struct {
		if inner := v.FieldByName("ObjectTracker"); inner.IsValid() && inner.CanInterface() {
			if plain, ok := inner.Interface().(clienttesting.ObjectTracker); ok {
				return plain, nil
			}
		}
	}
	return tracker, nil
}

// fill puts the first objects into a fresh fake client.
func fill(c kubelib.Client, objects []runtime.Object) error {
	for _, o := range objects {
		kind := o.GetObjectKind().GroupVersionKind()
		tracker, err := trackerOf(c, kind.Group)
		if err != nil {
			return err
		}
		m := o.(metav1.Object)
		if err := tracker.Create(resourceOf(kind), o, m.GetNamespace()); err != nil {
			return fmt.Errorf("%s %s/%s: %w", kind.Kind, m.GetNamespace(), m.GetName(), err)
		}
	}
	return nil
}
