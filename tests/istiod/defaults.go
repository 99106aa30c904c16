// SPDX-License-Identifier: Apache-2.0

package main

import (
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// applyServerDefaults fills in what a real API server would have filled in before istiod sees the object.
// It allocates nothing: a Service without clusterIP stays without.
func applyServerDefaults(object runtime.Object) {
	switch o := object.(type) {
	case *corev1.Service:
		defaultService(o)
	case *discoveryv1.EndpointSlice:
		defaultEndpointSlice(o)
	case *corev1.Pod:
		defaultPod(o)
	case *corev1.Namespace:
		if o.Labels == nil {
			o.Labels = map[string]string{}
		}
		o.Labels[corev1.LabelMetadataName] = o.Name
	}
}

func defaultService(s *corev1.Service) {
	if s.Spec.Type == "" {
		s.Spec.Type = corev1.ServiceTypeClusterIP
	}
	if s.Spec.ClusterIP == "" && len(s.Spec.ClusterIPs) > 0 {
		s.Spec.ClusterIP = s.Spec.ClusterIPs[0]
	}
	if s.Spec.ClusterIP != "" && len(s.Spec.ClusterIPs) == 0 {
		s.Spec.ClusterIPs = []string{s.Spec.ClusterIP}
	}
	for i := range s.Spec.Ports {
		p := &s.Spec.Ports[i]
		if p.Protocol == "" {
			p.Protocol = corev1.ProtocolTCP
		}
		if p.TargetPort == (intstr.IntOrString{}) {
			p.TargetPort = intstr.FromInt32(p.Port)
		}
	}
}

// defaultEndpointSlice sets all three conditions of every endpoint, as the EndpointSlice controller does: istiod takes
// a missing terminating for true and drops such an endpoint when it is not ready.
func defaultEndpointSlice(s *discoveryv1.EndpointSlice) {
	if s.AddressType == "" {
		s.AddressType = discoveryv1.AddressTypeIPv4
	}
	for i := range s.Ports {
		p := &s.Ports[i]
		if p.Name == nil {
			p.Name = pointer("")
		}
		if p.Protocol == nil {
			p.Protocol = pointer(corev1.ProtocolTCP)
		}
	}
	for i := range s.Endpoints {
		c := &s.Endpoints[i].Conditions
		if c.Terminating == nil {
			c.Terminating = pointer(false)
		}
		if c.Serving == nil {
			c.Serving = pointer(true)
		}
		if c.Ready == nil {
			c.Ready = pointer(!*c.Terminating)
		}
	}
}

// defaultPod completes the status of a pod that has an address: running and ready unless it says otherwise.
func defaultPod(p *corev1.Pod) {
	if p.Status.PodIP == "" && len(p.Status.PodIPs) > 0 {
		p.Status.PodIP = p.Status.PodIPs[0].IP
	}
	if p.Status.PodIP == "" {
		return
	}
	if len(p.Status.PodIPs) == 0 {
		p.Status.PodIPs = []corev1.PodIP{{IP: p.Status.PodIP}}
	}
	if p.Status.Phase == "" {
		p.Status.Phase = corev1.PodRunning
	}
	// A ServiceEntry selects ready pods only.
	if len(p.Status.Conditions) == 0 && p.Status.Phase == corev1.PodRunning {
		p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	}
}

func pointer[T any](v T) *T { return &v }
