// SPDX-License-Identifier: Apache-2.0

// Command istioinject is Istio's sidecar injector without a cluster, for tests/charts: the webhook itself, from AdmissionReview
// to JSON patch, with the configuration that the istiod chart has made. ENABLE_NATIVE_SIDECARS is read as istiod reads it.
//
//	istioinject CONFIG VALUES MESH < [{"namespace": ..., "pod": ...}, ...]
//
// prints one {"allowed", "message", "pod"} for each. CONFIG and VALUES are the keys of the ConfigMap istio-sidecar-injector,
// MESH is that of the ConfigMap istio.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"os"

	jsonpatch "github.com/evanphx/json-patch/v5"
	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"istio.io/istio/pilot/pkg/model"
	"istio.io/istio/pkg/config/mesh"
	"istio.io/istio/pkg/config/mesh/meshwatcher"
	"istio.io/istio/pkg/kube/inject"
	"istio.io/istio/pkg/kube/multicluster"
	istiolog "istio.io/istio/pkg/log"
)

// The pod is decoded and encoded again, so that it has the form in which an API server sends it: the patch relies on that.
type question struct {
	Namespace string     `json:"namespace"`
	Pod       corev1.Pod `json:"pod"`
}

type answer struct {
	Allowed bool            `json:"allowed"`
	Message string          `json:"message,omitempty"`
	Pod     json.RawMessage `json:"pod,omitempty"`
}

func newInjector(config, values, meshFile string) (http.Handler, error) {
	text, err := os.ReadFile(meshFile)
	if err != nil {
		return nil, err
	}
	m, err := mesh.ApplyMeshConfigDefaults(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", meshFile, err)
	}
	watcher, err := inject.NewFileWatcher(config, values)
	if err != nil {
		return nil, err
	}
	env := model.NewEnvironment()
	env.Watcher = meshwatcher.NewTestWatcher(m)
	env.SetPushContext(&model.PushContext{ProxyConfigs: model.GetProxyConfigs(model.NewFakeStore(), m)})
	mux := http.NewServeMux()
	_, err = inject.NewWebhook(inject.WebhookParameters{
		Watcher: watcher, Env: env, Mux: mux, Revision: "default", MultiCluster: multicluster.NewFakeController(),
	})
	return mux, err
}

func ask(injector http.Handler, q question) (*answer, error) {
	pod, err := json.Marshal(q.Pod)
	if err != nil {
		return nil, err
	}
	review, err := json.Marshal(admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{Kind: "AdmissionReview", APIVersion: "admission.k8s.io/v1"},
		Request: &admissionv1.AdmissionRequest{
			Namespace: q.Namespace, Operation: admissionv1.Create, Object: runtime.RawExtension{Raw: pod},
		},
	})
	if err != nil {
		return nil, err
	}
	request := httptest.NewRequest(http.MethodPost, "/inject", bytes.NewReader(review))
	request.Header.Set("Content-Type", "application/json")
	recorder := httptest.NewRecorder()
	injector.ServeHTTP(recorder, request)
	var reply admissionv1.AdmissionReview
	if err := json.Unmarshal(recorder.Body.Bytes(), &reply); err != nil {
		return nil, fmt.Errorf("status %d, %w: %s", recorder.Code, err, recorder.Body)
	}
	return patched(pod, reply.Response)
}

func patched(pod json.RawMessage, response *admissionv1.AdmissionResponse) (*answer, error) {
	result := &answer{Allowed: response.Allowed, Pod: pod}
	if response.Result != nil {
		result.Message = response.Result.Message
	}
	if len(response.Patch) == 0 {
		return result, nil
	}
	patch, err := jsonpatch.DecodePatch(response.Patch)
	if err != nil {
		return nil, err
	}
	result.Pod, err = patch.Apply(pod)
	return result, err
}

func run() error {
	if len(os.Args) != 4 {
		return fmt.Errorf("usage: istioinject CONFIG VALUES MESH")
	}
	options := istiolog.DefaultOptions()
	options.OutputPaths = []string{"stderr"} // stdout is for the answers
	if err := istiolog.Configure(options); err != nil {
		return err
	}
	var questions []question
	if err := json.NewDecoder(os.Stdin).Decode(&questions); err != nil {
		return err
	}
	injector, err := newInjector(os.Args[1], os.Args[2], os.Args[3])
	if err != nil {
		return err
	}
	answers := make([]*answer, 0, len(questions))
	for _, q := range questions {
		a, err := ask(injector, q)
		if err != nil {
			return err
		}
		answers = append(answers, a)
	}
	return json.NewEncoder(os.Stdout).Encode(answers)
}

func main() {
	if err := run(); err != nil {
		log.Fatalf("istioinject: %v", err)
	}
}
