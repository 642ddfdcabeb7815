{{/* The release's name when it says "langfuse", otherwise RELEASE-langfuse. */}}
{{- define "small.name" -}}
{{- $own := .Values.nameOverride | default .Chart.Name -}}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $own) (contains $own .Release.Name) -}}
{{- .Values.fullnameOverride | default $full | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{- define "small.clickhouse" -}}{{ include "small.name" . }}-clickhouse{{- end -}}
{{/* The service applications reach ClickHouse by; in line 2.x the operator makes it. */}}
{{- define "small.clickhouse.host" -}}
{{ include "small.clickhouse" . }}{{ ternary "-headless" "" (hasPrefix "2." .Chart.Version) }}
{{- end -}}

{{- define "small.zookeeper" -}}{{ include "small.name" . }}-zookeeper{{- end -}}

{{- define "small.account" -}}
{{- if .Values.langfuse.serviceAccount.create -}}
{{ .Values.langfuse.serviceAccount.name | default (include "small.name" .) }}
{{- else -}}
{{ .Values.langfuse.serviceAccount.name | default "default" }}
{{- end -}}
{{- end -}}

{{- define "small.clickhouse.account" -}}
{{- if .Values.clickhouse.serviceAccount.create -}}
{{ .Values.clickhouse.serviceAccount.name | default (include "small.clickhouse" .) }}
{{- else -}}
{{ .Values.clickhouse.serviceAccount.name | default "default" }}
{{- end -}}
{{- end -}}

{{/* Labels: (list context name component). */}}
{{- define "small.selector" -}}
app.kubernetes.io/instance: {{ (index . 0).Release.Name | quote }}
app.kubernetes.io/name: {{ index . 1 }}
{{- end -}}

{{- define "small.labels" -}}
{{ include "small.selector" . }}
app.kubernetes.io/managed-by: {{ (index . 0).Release.Service }}
helm.sh/chart: {{ printf "%s-%s" (index . 0).Chart.Name (index . 0).Chart.Version }}
{{- end -}}

{{/* A variable: (list NAME {value, secretKeyRef}); fails when it has neither. */}}
{{- define "small.secretVariable" -}}
{{- $name := index . 0 -}}{{- $given := index . 1 -}}{{- $key := index . 2 -}}
- name: {{ $name }}
{{- if and $given.secretKeyRef.name $given.secretKeyRef.key }}
  valueFrom:
    secretKeyRef: {name: {{ $given.secretKeyRef.name | quote }}, key: {{ $given.secretKeyRef.key | quote }}}
{{- else }}
  value: {{ required (printf "%s: give a value or a secretKeyRef" $key) $given.value | quote }}
{{- end }}
{{- end -}}

{{/* A probe on HTTP: (list settings path). */}}
{{- define "small.probe" -}}
{{- $probe := index . 0 -}}
httpGet: {path: {{ $probe.path | default (index . 1) | quote }}, port: http}
initialDelaySeconds: {{ $probe.initialDelaySeconds | default 20 }}
periodSeconds: {{ $probe.periodSeconds | default 10 }}
timeoutSeconds: {{ $probe.timeoutSeconds | default 5 }}
successThreshold: {{ $probe.successThreshold | default 1 }}
failureThreshold: {{ $probe.failureThreshold | default 5 }}
{{- end -}}
