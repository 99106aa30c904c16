{{- /*
SPDX-License-Identifier: Apache-2.0

For a chart of your own: name this chart in its dependencies with `alias: isthmus`, then

    {{ include "isthmus.workload" (list . (include "my.deployment" .)) }}

prints your Deployment (StatefulSet, DaemonSet, Job, CronJob, Pod) with Isthmus in it. Settings: the key `isthmus` of your values.
*/ -}}

{{- /* The settings of a chart ($): its values, with what only the chart or the cluster can tell. */}}
{{- define "isthmus.settings" -}}
{{- if not (hasKey .Subcharts "isthmus") }}{{ fail "isthmus: name the chart isthmus-lib in your Chart.yaml with alias: isthmus" }}{{ end }}
{{- $settings := omit (deepCopy .Values.isthmus) "global" }}
{{- if empty $settings.image.tag }}{{ $_ := set $settings.image "tag" .Subcharts.isthmus.Chart.AppVersion }}{{ end }}
{{- if empty $settings.dns.clusterAddress }}
{{- range list "kube-dns" "coredns" "rke2-coredns-rke2-coredns" }}
{{- with lookup "v1" "Service" "kube-system" . }}
{{- if empty $settings.dns.clusterAddress }}{{ $_ := set $settings.dns "clusterAddress" .spec.clusterIP }}{{ end }}
{{- end }}
{{- end }}
{{- end }}
{{- $settings | toPrettyJson }}
{{- end }}

{{- /* The template of one pod with these settings in front: what Istio's injector gets, and isthmus.patch runs. */}}
{{- define "isthmus.template" -}}
{{ "{{-" }} $isthmus := fromJson `{{ include "isthmus.settings" . | replace "`" "\\u0060" }}` {{ "-}}" }}
{{ .Subcharts.isthmus.Files.Get "files/pod.tpl" }}
{{- end }}

{{- /* (list $ METADATA SPEC NAME): the strategic merge patch for one pod of your chart. */}}
{{- define "isthmus.patch" -}}
{{- $root := index . 0 }}
{{- $metadata := index . 1 }}
{{- $istiod := $root.Values.isthmus.istiod }}
{{- $context := dict
  "ObjectMeta" (dict "Labels" ($metadata.labels | default dict) "Annotations" ($metadata.annotations | default dict) "Namespace" $root.Release.Namespace)
  "DeploymentMeta" (dict "Name" (index . 3) "Namespace" $root.Release.Namespace)
  "Spec" (index . 2)
  "ProxyConfig" (dict "DiscoveryAddress" (printf "istiod%s.istio-system.svc:15012" (ternary "" (printf "-%s" $istiod.revision) (empty $istiod.revision))) "ProxyMetadata" dict)
  "MeshConfig" nil
  "Values" (dict "global" (dict "proxy" dict "multiCluster" dict))
  "Revision" $istiod.revision
  "Template" $root.Template }}
{{- tpl (include "isthmus.template" $root) $context }}
{{- end }}

{{- /* (list CONTAINERS PATCHES): the containers, each with the env of its patch behind its own; names that only the patches have go first. */}}
{{- define "isthmus.containers" -}}
{{- $patches := dict }}
{{- range index . 1 }}{{ $_ := set $patches .name . }}{{ end }}
{{- $names := list }}
{{- range index . 0 }}{{ $names = append $names .name }}{{ end }}
{{- $merged := list }}
{{- range index . 1 }}{{ if not (has .name $names) }}{{ $merged = append $merged . }}{{ end }}{{ end }}
{{- range $container := index . 0 }}
{{- with get $patches $container.name }}{{ $_ := set $container "env" (concat ($container.env | default list) .env) }}{{ end }}
{{- $merged = append $merged $container }}
{{- end }}
{{- $merged | toYaml }}
{{- end }}

{{- /* (list $ YAML): a workload's YAML with Isthmus in its pod. */}}
{{- define "isthmus.workload" -}}
{{- $root := index . 0 }}
{{- $workload := index . 1 | fromYaml }}
{{- if hasKey $workload "Error" }}{{ fail (printf "isthmus: the workload is no YAML: %s" $workload.Error) }}{{ end }}
{{- $template := $workload }}
{{- if eq $workload.kind "CronJob" }}{{ $template = $workload.spec.jobTemplate.spec.template }}
{{- else if ne $workload.kind "Pod" }}{{ $template = $workload.spec.template }}
{{- end }}
{{- $spec := $template.spec }}
{{- $metadata := $template.metadata | default dict }}
{{- $patch := include "isthmus.patch" (list $root $metadata $spec $workload.metadata.name) | fromYaml }}
{{- if hasKey $patch "Error" }}{{ fail (printf "isthmus: the patch is no YAML: %s" $patch.Error) }}{{ end }}
{{- $_ := set $template "metadata" (merge $metadata $patch.metadata) }}
{{- range $key := list "dnsPolicy" "dnsConfig" }}
{{- if hasKey $patch.spec $key }}{{ $_ := set $spec $key (get $patch.spec $key) }}{{ end }}
{{- end }}
{{- with $patch.spec.securityContext }}{{ $_ := set $spec "securityContext" (mergeOverwrite ($spec.securityContext | default dict) .) }}{{ end }}
{{- with $patch.spec.initContainers }}{{ $_ := set $spec "initContainers" (include "isthmus.containers" (list $spec.initContainers .) | fromYamlArray) }}{{ end }}
{{- with $patch.spec.containers }}{{ $_ := set $spec "containers" (include "isthmus.containers" (list $spec.containers .) | fromYamlArray) }}{{ end }}
{{- $_ := set $spec "volumes" (concat ($spec.volumes | default list) $patch.spec.volumes) }}
{{- $workload | toYaml }}
{{- end }}
