{{- /*
SPDX-License-Identifier: Apache-2.0

What Isthmus adds to one pod, as a strategic merge patch. Istio's injector runs this text (with .ObjectMeta, .DeploymentMeta,
.Spec, .ProxyConfig, .MeshConfig, .Values, .Revision), and so does Helm for a chart of your own, with the same names and no
.MeshConfig. So it keeps to functions that both have with the same meaning (not: contains, indent, omit, env). $isthmus are
the settings.
*/ -}}
{{- $pod := .Spec | toJson | fromJson }}
{{- $labels := .ObjectMeta.Labels | toJson | fromJson | default dict }}
{{- $annotations := .ObjectMeta.Annotations | toJson | fromJson | default dict }}
{{- $namespace := .ObjectMeta.Namespace | default .DeploymentMeta.Namespace | default "default" }}
{{- $domain := $isthmus.clusterDomain | default .Values.global.proxy.clusterDomain | default "cluster.local" }}
{{- $security := $pod.securityContext | default dict }}

{{- /* Will Istio's proxy be in this pod? Outside the injector that cannot be seen: yes is the careful answer. */}}
{{- $templates := index $annotations "inject.istio.io/templates" | default "sidecar" | nospace | splitList "," }}
{{- $wanted := index $labels "sidecar.istio.io/inject" | default (index $annotations "sidecar.istio.io/inject") | default "true" }}
{{- $injector := not (empty .MeshConfig) }}
{{- $ambient := eq (index $labels "istio.io/dataplane-mode" | default "") "ambient" }}
{{- $envoy := and (has "sidecar" $templates) (ternary true (and (eq $wanted "true") (not $ambient)) $injector) }}
{{- if ne $isthmus.meshProxy "auto" }}{{ $envoy = eq $isthmus.meshProxy "envoy" }}{{ end }}

{{- /* What the pod chooses for itself, over the settings. */}}
{{- $registry := index $annotations "isthmus.dev/registry" | default $isthmus.registry }}
{{- if not (has $registry (list "eureka" "nacos" "none")) }}
{{- fail (printf "isthmus: annotation isthmus.dev/registry is %q: give one of eureka, nacos, none" $registry) }}
{{- end }}
{{- $mode := index $annotations "isthmus.dev/dns" | default $isthmus.dns.mode }}
{{- if not (has $mode (list "resolver" "behind-istio" "off")) }}
{{- fail (printf "isthmus: annotation isthmus.dev/dns is %q: give one of resolver, behind-istio, off" $mode) }}
{{- end }}
{{- $fallback := index $annotations "isthmus.dev/dns-fallback" | default (toString $isthmus.dns.fallback) }}
{{- if not (has $fallback (list "true" "false")) }}
{{- fail (printf "isthmus: annotation isthmus.dev/dns-fallback is %q: give \"true\" or \"false\"" $fallback) }}
{{- end }}
{{- $configMap := index $annotations "isthmus.dev/config" | default $isthmus.configMap }}

{{- /* What cannot work is refused here, in words, before a pod runs that resolves nothing. */}}
{{- if $pod.hostNetwork }}
{{- fail "isthmus: the pod has hostNetwork, where 127.0.0.1 and its ports belong to the node: leave Isthmus out of it" }}
{{- end }}
{{- if and $injector $ambient (not (has "sidecar" $templates)) }}
{{- fail "isthmus: Istio leaves a pod that its injector has changed out of the ambient mesh: bring Isthmus by the library chart or the Kustomize component, with the label sidecar.istio.io/inject: \"false\"" }}
{{- end }}
{{- if and (not $isthmus.nativeSidecar) (has $pod.restartPolicy (list "OnFailure" "Never")) }}
{{- fail "isthmus: beside an ordinary container this Job would never end: use nativeSidecar (Kubernetes 1.29 on), or leave Isthmus out of it" }}
{{- end }}
{{- $policy := $pod.dnsPolicy | default "ClusterFirst" }}
{{- $dns := $pod.dnsConfig | default dict }}
{{- $nameservers := list }}
{{- $searches := list }}
{{- $options := $dns.options | default list }}
{{- $upstreams := list }}
{{- if ne $mode "off" }}
  {{- if not (has $policy (list "ClusterFirst" "None")) }}
  {{- fail (printf "isthmus: the pod has dnsPolicy %s, so its name servers are the node's, which are not known here: set ClusterFirst, or the annotation isthmus.dev/dns: \"off\" (registries only)" $policy) }}
  {{- end }}
  {{- $capture := "" }}
  {{- with .ProxyConfig.ProxyMetadata }}{{ $capture = index . "ISTIO_META_DNS_CAPTURE" | default "" }}{{ end }}
  {{- if and $envoy (eq $mode "resolver") (eq $capture "true") }}
  {{- fail "isthmus: Istio's DNS capture (ISTIO_META_DNS_CAPTURE) takes every query before Isthmus sees it: switch it off for this pod by the annotation proxy.istio.io/config: '{\"proxyMetadata\":{\"ISTIO_META_DNS_CAPTURE\":\"false\"}}', or keep it in front by isthmus.dev/dns: behind-istio" }}
  {{- end }}
  {{- if and (eq $fallback "false") $envoy }}
  {{- fail "isthmus: without the cluster DNS as fallback Istio's proxy could not find istiod, because it starts before Isthmus: leave dns.fallback on, or take Istio's proxy out of the pod (inject.istio.io/templates: isthmus)" }}
  {{- end }}
  {{- if and (eq $fallback "false") (not $isthmus.nativeSidecar) }}
  {{- fail "isthmus: without the cluster DNS as fallback Isthmus must start first, which only a native sidecar does: set nativeSidecar, or leave dns.fallback on" }}
  {{- end }}
  {{- range $dns.nameservers }}{{ if ne . "127.0.0.1" }}{{ $upstreams = append $upstreams . }}{{ end }}{{ end }}
  {{- if or (ne $policy "None") (empty $upstreams) }}
    {{- if empty $isthmus.dns.clusterAddress }}
    {{- fail "isthmus: the address of the cluster DNS is not known: set dns.clusterAddress (kubectl -n kube-system get service kube-dns -o jsonpath={.spec.clusterIP})" }}
    {{- end }}
    {{- $upstreams = prepend $upstreams $isthmus.dns.clusterAddress | uniq }}
  {{- end }}
  {{- $nameservers = list "127.0.0.1" }}
  {{- if eq $fallback "true" }}{{ $nameservers = concat $nameservers $upstreams }}{{ end }}
  {{- if gt (len $nameservers) 3 }}
  {{- fail (printf "isthmus: a pod may have 3 nameservers, and with Isthmus in front this one has %d (%s): take some out of its dnsConfig" (len $nameservers) (join ", " $nameservers)) }}
  {{- end }}
  {{- $searches = $dns.searches | default list }}
  {{- if ne $policy "None" }}
    {{- $searches = concat (list (printf "%s.svc.%s" $namespace $domain) (printf "svc.%s" $domain) $domain) $searches | uniq }}
    {{- $set := false }}
    {{- range $options }}{{ if eq .name "ndots" }}{{ $set = true }}{{ end }}{{ end }}
    {{- if not $set }}{{ $options = append $options (dict "name" "ndots" "value" "5") }}{{ end }}
  {{- end }}
{{- end }}
{{- $sysctls := $security.sysctls | default list }}
{{- if and (ne $mode "off") (eq $isthmus.dns.port "sysctl") }}
  {{- $set := false }}
  {{- range $sysctls }}{{ if eq .name "net.ipv4.ip_unprivileged_port_start" }}{{ $set = true }}{{ end }}{{ end }}
  {{- if not $set }}{{ $sysctls = append $sysctls (dict "name" "net.ipv4.ip_unprivileged_port_start" "value" "0") }}{{ end }}
{{- end }}

{{- /* As an ordinary container it is told to stop together with the application, so it goes on for nearly as long as that may take. */}}
{{- $drain := 0 }}
{{- if not $isthmus.nativeSidecar }}
{{- $grace := 30 }}
{{- if hasKey $pod "terminationGracePeriodSeconds" }}{{ $grace = int $pod.terminationGracePeriodSeconds }}{{ end }}
{{- $drain = max 0 (sub $grace 5) }}
{{- end }}

{{- $spring := "" }}
{{- if eq $registry "eureka" }}
{{- $spring = dict "eureka" (dict "client" (dict "serviceUrl" (dict "defaultZone" "http://127.0.0.1:8761/eureka/"))) | toJson }}
{{- else if eq $registry "nacos" }}
{{- $spring = dict "spring" (dict "cloud" (dict "nacos" (dict "discovery" (dict "server-addr" "127.0.0.1:8848")))) | toJson }}
{{- end }}
metadata:
  labels:
    isthmus.dev/injected: "true"
spec:
{{- if ne $mode "off" }}
  dnsPolicy: "None"
  dnsConfig:
    nameservers: {{ $nameservers | toJson }}
    searches: {{ $searches | toJson }}
    options: {{ $options | toJson }}
{{- end }}
{{- if $sysctls }}
  securityContext:
    sysctls: {{ $sysctls | toJson }}
{{- end }}
{{- if $isthmus.nativeSidecar }}
  initContainers:
{{- else }}
  containers:
{{- end }}
  - name: isthmus
{{- with $isthmus.image }}
    image: {{ printf "%s%s" .repository (ternary (printf ":%s" .tag) (printf "@%s" .digest) (empty .digest)) | quote }}
{{- if .pullPolicy }}
    imagePullPolicy: {{ .pullPolicy }}
{{- end }}
{{- end }}
{{- if $isthmus.nativeSidecar }}
    restartPolicy: Always
{{- end }}
    command: ["/usr/bin/isthmus", "supervise", "--", "agent"]
    args:
    - --domain={{ $domain }}
    - --labels=@/etc/isthmus/pod/labels
    - --annotations-file=/etc/isthmus/pod/annotations
    - --log-level={{ $isthmus.logLevel }}
    - --log-format={{ $isthmus.logFormat }}
    - --drain-time={{ $drain }}s
{{- if ne $isthmus.meshProxy "auto" }}
    - --mesh-proxy={{ $isthmus.meshProxy }}
{{- end }}
{{- if ne $isthmus.readyWhen "view" }}
    - --ready-when={{ $isthmus.readyWhen }}
{{- end }}
{{- if eq $mode "off" }}
    - --dns-listen=off
{{- else if eq $fallback "false" }}
    - --dns-upstream={{ join "," $upstreams }}
{{- end }}
{{- if not $isthmus.snapshot }}
    - --snapshot=off
{{- end }}
{{- if $configMap }}
    - --config=/etc/isthmus/config/isthmus.yaml
{{- end }}
{{- range $isthmus.extraArgs }}
    - {{ . | quote }}
{{- end }}
    env:
    - {name: POD_NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
    - {name: POD_NAMESPACE, valueFrom: {fieldRef: {fieldPath: metadata.namespace}}}
    - {name: INSTANCE_IP, valueFrom: {fieldRef: {fieldPath: status.podIPs}}}
    - {name: SERVICE_ACCOUNT, valueFrom: {fieldRef: {fieldPath: spec.serviceAccountName}}}
    - {name: NODE_NAME, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}
    - {name: XDS_ADDRESS, value: {{ $isthmus.istiod.address | default .ProxyConfig.DiscoveryAddress | quote }}}
    - {name: ISTIO_META_CLUSTER_ID, value: {{ $isthmus.clusterName | default .Values.global.multiCluster.clusterName | default "Kubernetes" | quote }}}
{{- with index $labels "topology.istio.io/network" | default $isthmus.network | default .Values.global.network }}
    - {name: ISTIO_META_NETWORK, value: {{ . | quote }}}
{{- end }}
{{- with .Values.global.meshID }}
    - {name: ISTIO_META_MESH_ID, value: {{ . | quote }}}
{{- end }}
{{- with .DeploymentMeta.Name }}
    - {name: ISTIO_META_WORKLOAD_NAME, value: {{ . | quote }}}
{{- end }}
{{- with .Revision }}
    - {name: ISTIO_REVISION, value: {{ . | quote }}}
{{- end }}
    ports:
    - {name: isthmus-health, containerPort: 15181, protocol: TCP}
    startupProbe:
      httpGet: {path: {{ ternary "/healthz/ready" "/healthz/live" (and (eq $isthmus.startAfter "view") (eq $isthmus.readyWhen "view")) }}, port: 15181}
      periodSeconds: 1
      failureThreshold: 600
    readinessProbe:
      httpGet: {path: /healthz/ready, port: 15181}
      periodSeconds: 5
    livenessProbe:
      httpGet: {path: /healthz/live, port: 15181}
      periodSeconds: 10
      failureThreshold: 3
    securityContext:
      allowPrivilegeEscalation: false
      readOnlyRootFilesystem: true
      runAsNonRoot: true
      runAsUser: {{ int64 $isthmus.runAsUser }}
      runAsGroup: {{ int64 $isthmus.runAsUser }}
      capabilities:
        drop: [ALL]
{{- if and (ne $mode "off") (eq $isthmus.dns.port "capability") }}
        add: [NET_BIND_SERVICE]
{{- end }}
      seccompProfile: {type: RuntimeDefault}
    resources: {{ $isthmus.resources | toJson }}
    terminationMessagePolicy: FallbackToLogsOnError
    volumeMounts:
    - {name: isthmus-token, mountPath: /var/run/secrets/tokens, readOnly: true}
    - {name: isthmus-root-ca, mountPath: /var/run/secrets/istio, readOnly: true}
    - {name: isthmus-podinfo, mountPath: /etc/isthmus/pod, readOnly: true}
{{- if $isthmus.snapshot }}
    - {name: isthmus-state, mountPath: /var/lib/isthmus}
{{- end }}
{{- if $configMap }}
    - {name: isthmus-config, mountPath: /etc/isthmus/config, readOnly: true}
{{- end }}
{{- if $spring }}
{{- $first := $isthmus.nativeSidecar }}
{{- range $container := $pod.containers }}
{{- $theirs := list }}
{{- range $container.env }}{{ $theirs = append $theirs .name }}{{ end }}
{{- if not (or (has $container.name (list "istio-proxy" "isthmus")) (has "SPRING_APPLICATION_JSON" $theirs)) }}
{{- if $first }}
  containers:
{{- $first = false }}
{{- end }}
  - name: {{ $container.name }}
    env:
    - {name: SPRING_APPLICATION_JSON, value: {{ $spring | squote }}}
{{- end }}
{{- end }}
{{- end }}
  volumes:
  - name: isthmus-token
    projected:
      sources:
      - serviceAccountToken: {path: istio-token, expirationSeconds: 43200, audience: istio-ca}
  - name: isthmus-root-ca
{{- if eq $isthmus.istiod.rootCA "clusterTrustBundle" }}
    projected:
      sources:
      - clusterTrustBundle: {name: "istio.io:istiod-ca:root-cert", path: root-cert.pem}
{{- else }}
    configMap: {name: istio-ca-root-cert}
{{- end }}
  - name: isthmus-podinfo
    downwardAPI:
      items:
      - {path: labels, fieldRef: {fieldPath: metadata.labels}}
      - {path: annotations, fieldRef: {fieldPath: metadata.annotations}}
{{- if $isthmus.snapshot }}
  - name: isthmus-state
    emptyDir: {}
{{- end }}
{{- if $configMap }}
  - name: isthmus-config
    configMap: {name: {{ $configMap | quote }}}
{{- end }}
