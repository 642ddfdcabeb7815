{{/* What web and worker read: the variables of Langfuse's own configuration page. */}}
{{- define "small.env" -}}
- {name: NODE_ENV, value: {{ .Values.langfuse.nodeEnv | quote }}}
- {name: HOSTNAME, value: "0.0.0.0"}
- {name: LANGFUSE_LOG_LEVEL, value: {{ .Values.langfuse.logging.level | quote }}}
- {name: LANGFUSE_LOG_FORMAT, value: {{ .Values.langfuse.logging.format | quote }}}
{{ include "small.secretVariable" (list "SALT" .Values.langfuse.salt "langfuse.salt") }}
{{ include "small.secretVariable" (list "ENCRYPTION_KEY" .Values.langfuse.encryptionKey "langfuse.encryptionKey") }}
- {name: TELEMETRY_ENABLED, value: {{ .Values.langfuse.features.telemetryEnabled | quote }}}
- {name: AUTH_DISABLE_SIGNUP, value: {{ .Values.langfuse.features.signUpDisabled | quote }}}
- {name: ENABLE_EXPERIMENTAL_FEATURES, value: {{ .Values.langfuse.features.experimentalFeaturesEnabled | quote }}}
- {name: NEXTAUTH_URL, value: {{ .Values.langfuse.nextauth.url | quote }}}
{{ include "small.secretVariable" (list "NEXTAUTH_SECRET" .Values.langfuse.nextauth.secret "langfuse.nextauth.secret") }}
{{ include "small.env.postgresql" . }}
{{ include "small.env.redis" . }}
{{ include "small.env.clickhouse" . }}
{{ include "small.env.s3" . }}
{{- with .Values.langfuse.additionalEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "small.env.postgresql" -}}
{{- with .Values.postgresql -}}
- {name: DATABASE_HOST, value: {{ required "postgresql.host is required" .host | quote }}}
- {name: DATABASE_PORT, value: {{ .port | quote }}}
- {name: DATABASE_USERNAME, value: {{ required "postgresql.auth.username is required" .auth.username | quote }}}
{{ include "small.secretVariable" (list "DATABASE_PASSWORD" (dict "value" .auth.password "secretKeyRef" (dict "name" .auth.existingSecret "key" .auth.secretKeys.userPasswordKey)) "postgresql.auth") }}
- {name: DATABASE_NAME, value: {{ required "postgresql.auth.database is required" .auth.database | quote }}}
{{- with .args }}
- {name: DATABASE_ARGS, value: {{ . | quote }}}
{{- end }}
{{- with .directUrl }}
- {name: DIRECT_URL, value: {{ . | quote }}}
{{- end }}
{{- with .shadowDatabaseUrl }}
- {name: SHADOW_DATABASE_URL, value: {{ . | quote }}}
{{- end }}
- {name: LANGFUSE_AUTO_POSTGRES_MIGRATION_DISABLED, value: {{ not .migration.autoMigrate | quote }}}
{{- end -}}
{{- end -}}

{{- define "small.env.redis" -}}
{{- with .Values.redis -}}
{{- $secret := or .auth.existingSecret .auth.password -}}
{{- if $secret -}}
{{ include "small.secretVariable" (list "REDIS_PASSWORD" (dict "value" .auth.password "secretKeyRef" (dict "name" .auth.existingSecret "key" .auth.existingSecretPasswordKey)) "redis.auth") }}
{{ end -}}
- {name: REDIS_TLS_ENABLED, value: {{ .tls.enabled | quote }}}
{{- if and .tls.enabled .tls.caPath }}
- {name: REDIS_TLS_CA_PATH, value: {{ .tls.caPath | quote }}}
{{- end }}
{{- if .cluster.enabled }}
- {name: REDIS_CLUSTER_ENABLED, value: "true"}
- {name: REDIS_CLUSTER_NODES, value: {{ join "," .cluster.nodes | quote }}}
{{- if $secret }}
- {name: REDIS_AUTH, value: "$(REDIS_PASSWORD)"}
{{- end }}
{{- else }}
{{- $scheme := ternary "rediss" "redis" .tls.enabled }}
{{- $who := ternary (printf "%s:$(REDIS_PASSWORD)@" .auth.username) "" (not (empty $secret)) }}
- {name: REDIS_CONNECTION_STRING, value: {{ printf "%s://%s%s:%v/%v" $scheme $who (required "redis.host is required" .host) .port .auth.database | quote }}}
{{- end }}
{{- end -}}
{{- end -}}

{{- define "small.env.clickhouse" -}}
{{- $host := .Values.clickhouse.host | default (include "small.clickhouse.host" .) -}}
{{- $secret := .Values.clickhouse.auth.existingSecret | default (include "small.clickhouse" .) -}}
{{- with .Values.clickhouse -}}
{{- /* Line 2.x says so in clickhouse.cluster, line 1.5.x in a key of its own and only with more than one replica. */ -}}
{{- $clustered := hasKey . "cluster" | ternary (.cluster | default dict).enabled (and .clusterEnabled (gt (int .replicaCount) 1)) -}}
- {name: CLICKHOUSE_MIGRATION_URL, value: {{ .migration.url | default (printf "clickhouse://%s:%v" $host .nativePort) | quote }}}
- {name: CLICKHOUSE_MIGRATION_SSL, value: {{ .migration.ssl | quote }}}
- {name: CLICKHOUSE_URL, value: {{ printf "http://%s:%v" $host .httpPort | quote }}}
- {name: CLICKHOUSE_DB, value: {{ .database | quote }}}
- {name: CLICKHOUSE_USER, value: {{ .auth.username | quote }}}
- name: CLICKHOUSE_PASSWORD
  valueFrom:
    secretKeyRef: {name: {{ $secret | quote }}, key: {{ .auth.existingSecretKey | quote }}}
- {name: CLICKHOUSE_CLUSTER_ENABLED, value: {{ $clustered | quote }}}
- {name: LANGFUSE_AUTO_CLICKHOUSE_MIGRATION_DISABLED, value: {{ not .migration.autoMigrate | quote }}}
{{- end -}}
{{- end -}}

{{- define "small.env.s3" -}}
{{- $s3 := .Values.s3 -}}
{{- include "small.env.s3.use" (list $s3 $s3.eventUpload "EVENT_UPLOAD") }}
- {name: LANGFUSE_S3_BATCH_EXPORT_ENABLED, value: {{ $s3.batchExport.enabled | quote }}}
{{- if $s3.batchExport.enabled }}
{{ include "small.env.s3.use" (list $s3 $s3.batchExport "BATCH_EXPORT") }}
{{- end }}
{{ include "small.env.s3.use" (list $s3 $s3.mediaUpload "MEDIA_UPLOAD") }}
- {name: LANGFUSE_S3_MEDIA_UPLOAD_MAX_CONTENT_LENGTH, value: {{ $s3.mediaUpload.maxContentLength | int64 | quote }}}
- {name: LANGFUSE_S3_MEDIA_UPLOAD_DOWNLOAD_URL_EXPIRY_SECONDS, value: {{ $s3.mediaUpload.downloadUrlExpirySeconds | int64 | quote }}}
- {name: LANGFUSE_S3_CONCURRENT_READS, value: {{ $s3.concurrency.reads | quote }}}
- {name: LANGFUSE_S3_CONCURRENT_WRITES, value: {{ $s3.concurrency.writes | quote }}}
{{- end -}}

{{- define "small.env.s3.use" -}}
{{- $s3 := index . 0 -}}{{- $use := index . 1 -}}{{- $name := printf "LANGFUSE_S3_%s" (index . 2) -}}
- {name: {{ $name }}_BUCKET, value: {{ required "s3.bucket is required" ($use.bucket | default $s3.bucket) | quote }}}
{{- with $use.prefix }}
- {name: {{ $name }}_PREFIX, value: {{ . | quote }}}
{{- end }}
{{- with ($use.region | default $s3.region) }}
- {name: {{ $name }}_REGION, value: {{ . | quote }}}
{{- end }}
{{- with ($use.endpoint | default $s3.endpoint) }}
- {name: {{ $name }}_ENDPOINT, value: {{ . | quote }}}
{{- end }}
{{- if or $s3.accessKeyId.value $s3.accessKeyId.secretKeyRef.name }}
{{ include "small.secretVariable" (list (printf "%s_ACCESS_KEY_ID" $name) $s3.accessKeyId "s3.accessKeyId") }}
{{ include "small.secretVariable" (list (printf "%s_SECRET_ACCESS_KEY" $name) $s3.secretAccessKey "s3.secretAccessKey") }}
{{- end }}
- {name: {{ $name }}_FORCE_PATH_STYLE, value: {{ $use.forcePathStyle | default $s3.forcePathStyle | quote }}}
{{- end -}}
