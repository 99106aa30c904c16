// SPDX-License-Identifier: Apache-2.0

// Command podcheck judges manifests as a Kubernetes API server would, without one: unknown fields and wrong types, the API
// server's own defaults and validation, and for pods the Pod Security Standards.
//
//	podcheck < MANIFESTS
//
// prints for each document one line of JSON: {"kind", "name", "errors": [...], "restricted": [...]}. "restricted" are the
// objections of that standard, each with the container that it is about; it is absent where there is no pod.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring"
	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	jsonserializer "k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	podutil "k8s.io/kubernetes/pkg/api/pod"
	"k8s.io/kubernetes/pkg/apis/apps"
	_ "k8s.io/kubernetes/pkg/apis/apps/install"
	appsvalidation "k8s.io/kubernetes/pkg/apis/apps/validation"
	_ "k8s.io/kubernetes/pkg/apis/batch/install"
	"k8s.io/kubernetes/pkg/apis/core"
	_ "k8s.io/kubernetes/pkg/apis/core/install"
	corevalidation "k8s.io/kubernetes/pkg/apis/core/validation"
	"k8s.io/kubernetes/pkg/apis/networking"
	_ "k8s.io/kubernetes/pkg/apis/networking/install"
	networkingvalidation "k8s.io/kubernetes/pkg/apis/networking/validation"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

type verdict struct {
	Kind       string    `json:"kind"`
	Name       string    `json:"name"`
	Errors     []string  `json:"errors"`
	Restricted *[]string `json:"restricted,omitempty"`
}

// A pod of a workload is judged as the pod that its controller would create.
func podOf(object runtime.Object) *corev1.Pod {
	from := func(template corev1.PodTemplateSpec) *corev1.Pod {
		template.Name = "pod"
		return &corev1.Pod{
			TypeMeta: metav1.TypeMeta{Kind: "Pod", APIVersion: "v1"}, ObjectMeta: template.ObjectMeta, Spec: template.Spec,
		}
	}
	switch o := object.(type) {
	case *corev1.Pod:
		return o
	case *appsv1.Deployment:
		return from(o.Spec.Template)
	case *appsv1.StatefulSet:
		return from(o.Spec.Template)
	case *appsv1.DaemonSet:
		return from(o.Spec.Template)
	case *batchv1.Job:
		return from(o.Spec.Template)
	case *batchv1.CronJob:
		return from(o.Spec.JobTemplate.Spec.Template)
	}
	return nil
}

// validate gives what the API server says when this object is created; of kinds that no case names nothing but defaults.
func validate(object runtime.Object) (field.ErrorList, error) {
	kind := object.GetObjectKind().GroupVersionKind()
	if kind.Group == monitoring.GroupName { // a custom resource, which has no internal version
		return nil, nil
	}
	legacyscheme.Scheme.Default(object)
	internal, err := legacyscheme.Scheme.ConvertToVersion(object,
		schema.GroupVersion{Group: kind.Group, Version: runtime.APIVersionInternal})
	if err != nil {
		return nil, err
	}
	switch o := internal.(type) {
	case *core.Pod:
		return corevalidation.ValidatePodCreate(o,
			podutil.GetValidationOptionsFromPodSpecAndMeta(&o.Spec, nil, &o.ObjectMeta, nil)), nil
	case *core.ConfigMap:
		return corevalidation.ValidateConfigMap(o), nil
	case *apps.Deployment:
		template := &o.Spec.Template
		return appsvalidation.ValidateDeployment(o,
			podutil.GetValidationOptionsFromPodSpecAndMeta(&template.Spec, nil, &template.ObjectMeta, nil)), nil
	case *networking.NetworkPolicy:
		return networkingvalidation.ValidateNetworkPolicy(o, networkingvalidation.NetworkPolicyValidationOptions{}), nil
	}
	return nil, nil
}

func objections(evaluator policy.Evaluator, pod *corev1.Pod) *[]string {
	found := []string{}
	restricted := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	for _, result := range evaluator.EvaluatePod(restricted, &pod.ObjectMeta, &pod.Spec) {
		if !result.Allowed {
			found = append(found, result.ForbiddenReason+": "+result.ForbiddenDetail)
		}
	}
	return &found
}

type judge struct {
	decoder   runtime.Decoder
	evaluator policy.Evaluator
}

func newJudge() (*judge, error) {
	if err := monitoringv1.AddToScheme(legacyscheme.Scheme); err != nil {
		return nil, err
	}
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		return nil, err
	}
	options := jsonserializer.SerializerOptions{Yaml: true, Strict: true}
	return &judge{
		decoder: jsonserializer.NewSerializerWithOptions(
			jsonserializer.DefaultMetaFactory, legacyscheme.Scheme, legacyscheme.Scheme, options),
		evaluator: evaluator,
	}, nil
}

func (j *judge) document(text []byte) verdict {
	result := verdict{Errors: []string{}}
	object, kind, err := j.decoder.Decode(text, nil, nil)
	if kind != nil {
		result.Kind = kind.Kind
	}
	if err != nil {
		result.Errors = append(result.Errors, err.Error())
		return result
	}
	if named, ok := object.(metav1.Object); ok {
		result.Name = named.GetName()
		if named.GetNamespace() == "" {
			named.SetNamespace("default")
		}
	}
	pod := podOf(object)
	if pod != nil && pod.Spec.ServiceAccountName == "" {
		pod.Spec.ServiceAccountName = "default" // as admission does
	}
	wrong, err := validate(object)
	if err != nil {
		result.Errors = append(result.Errors, err.Error())
	}
	if pod != nil {
		if runtime.Object(pod) != object {
			pod.Namespace = "default"
			more, err := validate(pod)
			if err != nil {
				result.Errors = append(result.Errors, err.Error())
			}
			wrong = append(wrong, more...)
		}
		result.Restricted = objections(j.evaluator, pod)
	}
	for _, each := range wrong {
		result.Errors = append(result.Errors, each.Error())
	}
	return result
}

func run() error {
	j, err := newJudge()
	if err != nil {
		return err
	}
	documents := yaml.NewYAMLReader(bufio.NewReader(os.Stdin))
	out := json.NewEncoder(os.Stdout)
	for {
		text, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading: %w", err)
		}
		var content any
		if yaml.Unmarshal(text, &content) == nil && content == nil {
			continue // nothing but comments
		}
		if err := out.Encode(j.document(text)); err != nil {
			return err
		}
	}
}

func main() {
	if err := run(); err != nil {
		log.Fatalf("podcheck: %v", err)
	}
}
