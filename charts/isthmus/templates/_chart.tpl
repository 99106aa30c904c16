{{- /* SPDX-License-Identifier: Apache-2.0 */ -}}

{{- define "isthmus-chart.labels" -}}
app.kubernetes.io/name: isthmus
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- /* Values for the istiod chart. `isthmus inject template` prints the same. */}}
{{- define "isthmus-chart.istiodValues" -}}
# Values for the istiod chart: the template "{{ .Values.injectionTemplate.name }}" of the sidecar injector.
sidecarInjectorWebhook:
  templates:
    {{ .Values.injectionTemplate.name }}: |
      {{- regexReplaceAll "(?m) +$" (include "isthmus.template" . | nindent 6) "" }}
{{- end }}
