{{- define "rpftrace.name" -}}
{{- if contains "rpftrace" .Release.Name }}{{ .Release.Name | trunc 63 | trimSuffix "-" }}{{ else }}{{ printf "%s-rpftrace" .Release.Name | trunc 63 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "rpftrace.selector" -}}
app.kubernetes.io/name: rpftrace
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "rpftrace.labels" -}}
{{ include "rpftrace.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
{{- end }}

{{- /* The secret with the token; empty where there is none. */}}
{{- define "rpftrace.tokenSecret" -}}
{{- if and .Values.token.secret .Values.token.value }}{{ fail "token: give secret or value, not both" }}{{ end }}
{{- if .Values.token.secret }}{{ .Values.token.secret }}{{ else if .Values.token.value }}{{ include "rpftrace.name" . }}-token{{ end }}
{{- end }}

{{- /* Not empty where it listens for others than the node itself. */}}
{{- define "rpftrace.isOpen" -}}
{{- if or .Values.expose (not .Values.hostNetwork) }}yes{{ end }}
{{- end }}

{{- /* What rpftrace serve reads. What the chart decides counts more than config. */}}
{{- define "rpftrace.config" -}}
{{- if and (include "rpftrace.isOpen" .) (not (include "rpftrace.tokenSecret" .)) }}
{{- fail "expose, and hostNetwork: false, let others reach rpftrace: give token.secret or token.value" }}
{{- end }}
{{- if and .Values.kubernetes.events (not .Values.kubernetes.api) }}
{{- fail "kubernetes.events: the API server takes them, so kubernetes.api has to be true" }}
{{- end }}
{{- $host := "127.0.0.1" }}
{{- if include "rpftrace.isOpen" . }}
{{- $host = "" }}
{{- end }}
{{- $address := printf "%s:%d" $host (int .Values.port) }}
{{- $ours := dict "listen" (list "unix:/run/rpftrace/rpftrace.sock" $address) }}
{{- $history := dict "memory" .Values.history.memory }}
{{- if .Values.history.persist }}
{{- $_ := set $history "directory" "/var/lib/rpftrace" }}
{{- $_ := set $history "disk" .Values.history.disk }}
{{- end }}
{{- $_ := set $ours "history" $history }}
{{- if include "rpftrace.tokenSecret" . }}
{{- $_ := set $ours "token_file" "/etc/rpftrace/token/token" }}
{{- end }}
{{- if .Values.tls.secret }}
{{- $_ := set $ours "tls" (dict "cert_file" "/etc/rpftrace/tls/tls.crt" "key_file" "/etc/rpftrace/tls/tls.key") }}
{{- end }}
{{- $_ := set $ours "kubernetes_events" .Values.kubernetes.events }}
{{- $sources := dict "kubernetes" .Values.kubernetes.api "peers" .Values.kubernetes.peers }}
{{- $config := deepCopy .Values.config }}
{{- $_ := set $ours "sources" (mergeOverwrite (default (dict) $config.sources) $sources) }}
{{- mergeOverwrite $config $ours | toYaml }}
{{- end }}
