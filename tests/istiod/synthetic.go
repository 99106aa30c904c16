// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

const (
	syntheticNamespaces = 20
	syntheticPort       = 80
	syntheticTarget     = 8080
	// maxSynthetic services fit the addresses 172.16.0.0/12.
	maxSynthetic = 1 << 20
)

// synthetic is a generated mesh: services svc-0, svc-1, ... in namespaces ns-0 to ns-19. Its addresses are data only.
type synthetic struct {
	services, endpoints int
	pods                bool
}

func parseSynthetic(text string, pods bool) (*synthetic, error) {
	s := &synthetic{pods: pods}
	if n, err := fmt.Sscanf(text, "%dx%d", &s.services, &s.endpoints); n != 2 || err != nil {
		return nil, fmt.Errorf("--synthetic %q: want SERVICESxENDPOINTS", text)
	}
	if s.services < 1 || s.services > maxSynthetic || s.endpoints < 0 || s.endpoints > s.stride() {
		return nil, fmt.Errorf("--synthetic %q: too large", text)
	}
	return s, nil
}

// stride is the number of addresses in 10.0.0.0/8 that every service owns.
func (s *synthetic) stride() int { return (1<<24 - 1) / s.services }

func (s *synthetic) objects() []*item {
	out := make([]*item, 0, 2*s.services)
	for i := range s.services {
		out = append(out, s.service(i))
		out = append(out, s.backends(i, s.endpoints)...)
	}
	return out
}

// resize returns the objects that give a service another number of endpoints.
func (s *synthetic) resize(service, count int) ([]*item, error) {
	if service < 0 || service >= s.services || count < 0 || count > s.stride() {
		return nil, fmt.Errorf("service must be below %d and count at most %d", s.services, s.stride())
	}
	return s.backends(service, count), nil
}

func (s *synthetic) meta(name string, i int) metav1.ObjectMeta {
	app := fmt.Sprintf("svc-%d", i)
	return metav1.ObjectMeta{
		Name: name, Namespace: fmt.Sprintf("ns-%d", i%syntheticNamespaces),
		Labels: map[string]string{"app": app, discoveryv1.LabelServiceName: app},
	}
}

func (s *synthetic) service(i int) *item {
	name := fmt.Sprintf("svc-%d", i)
	o := &corev1.Service{
		ObjectMeta: s.meta(name, i),
		Spec: corev1.ServiceSpec{
			ClusterIP: fmt.Sprintf("172.%d.%d.%d", 16+i>>16, i>>8&255, i&255),
			Selector:  map[string]string{"app": name},
			Ports:     []corev1.ServicePort{{Name: "http", Port: syntheticPort, TargetPort: intstr.FromInt32(syntheticTarget)}},
		},
	}
	applyServerDefaults(o)
	return kubeItem(o, corev1.SchemeGroupVersion.WithKind("Service"))
}

func (s *synthetic) backends(i, count int) []*item {
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta: s.meta(fmt.Sprintf("svc-%d", i), i),
		Ports:      []discoveryv1.EndpointPort{{Name: pointer("http"), Port: pointer(int32(syntheticTarget))}},
	}
	var out []*item
	for e := range count {
		n := i*s.stride() + e + 1
		address := fmt.Sprintf("10.%d.%d.%d", n>>16, n>>8&255, n&255)
		endpoint := discoveryv1.Endpoint{Addresses: []string{address}}
		if s.pods {
			pod := s.pod(i, e, address)
			out = append(out, pod)
			endpoint.TargetRef = &corev1.ObjectReference{Kind: "Pod", Namespace: pod.key.Namespace, Name: pod.key.Name}
		}
		slice.Endpoints = append(slice.Endpoints, endpoint)
	}
	applyServerDefaults(slice)
	return append(out, kubeItem(slice, discoveryv1.SchemeGroupVersion.WithKind("EndpointSlice")))
}

func (s *synthetic) pod(i, e int, address string) *item {
	o := &corev1.Pod{
		ObjectMeta: s.meta(fmt.Sprintf("svc-%d-%d", i, e), i),
		Spec:       corev1.PodSpec{ServiceAccountName: "default"},
		Status:     corev1.PodStatus{PodIP: address},
	}
	applyServerDefaults(o)
	return kubeItem(o, corev1.SchemeGroupVersion.WithKind("Pod"))
}
