{{- define "ampgate.name" -}}
{{- if contains "ampgate" .Release.Name }}{{ .Release.Name }}{{ else }}{{ .Release.Name }}-ampgate{{ end }}
{{- end }}

{{- define "ampgate.serviceAccount" -}}
{{- with .Values.serviceAccount }}
{{- .name | default (ternary (include "ampgate.name" $) "default" .create) }}
{{- end }}
{{- end }}

{{- define "ampgate.selector" -}}
app.kubernetes.io/name: ampgate
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "ampgate.labels" -}}
{{ include "ampgate.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
{{- end }}

{{- define "ampgate.podMetadata" -}}
labels:
  {{- include "ampgate.labels" . | nindent 2 }}
annotations:
  # A changed configuration replaces the pods.
  checksum/config: {{ .root.Values.config | sha256sum }}
  {{- with .root.Values.podAnnotations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{- /* Of the root and a secret's name: the pod, with that secret and Kafka's. */}}
{{- define "ampgate.pod" -}}
{{- $secret := .secret }}
{{- with .root }}
automountServiceAccountToken: {{ .Values.serviceAccount.automountToken }}
serviceAccountName: {{ include "ampgate.serviceAccount" . }}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile: {type: RuntimeDefault}
volumes:
  - name: config
    configMap: {name: {{ include "ampgate.name" . }}}
  - name: secrets
    projected:
      defaultMode: 0440
      sources:
        {{- with $secret }}
        - secret: {name: {{ . }}}
        {{- end }}
        {{- with .Values.secrets.kafka }}
        - secret: {name: {{ . }}}
        {{- end }}
        {{- range .Values.secrets.extra }}
        - secret:
            {{- toYaml . | nindent 12 }}
        {{- end }}
  - name: tmp
    emptyDir: {}
  {{- with .Values.extraVolumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .Values.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end }}

{{- define "ampgate.container" -}}
{{- with .Values.image }}
image: "{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}"
{{- end }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
env:
  - {name: AMPGATE_CONFIG, value: /etc/ampgate/ampgate.toml}
  - {name: AMPGATE_LOG_LEVEL, value: {{ .Values.logLevel }}}
  - {name: AMPGATE_KAFKA__BOOTSTRAP_SERVERS, value: {{ .Values.kafka.bootstrapServers | quote }}}
  - {name: AMPGATE_KAFKA__TOPIC_PREFIX, value: {{ .Values.kafka.topicPrefix | quote }}}
  - {name: AMPGATE_EDGE__PORT, value: "8080"}
  - {name: AMPGATE_EDGE__ADMIN_PORT, value: "8081"}
  {{- if .Values.edge.spool.enabled }}
  - {name: AMPGATE_EDGE__SPOOL_DIR, value: /var/lib/ampgate-edge/spool}
  {{- end }}
  - {name: AMPGATE_DELIVERY__ADMIN_PORT, value: "9090"}
  - {name: AMPGATE_PULL__ADMIN_PORT, value: "9092"}
  {{- if .Values.console.enabled }}
  {{- $deliveries := list }}
  {{- range .Values.delivery.groups }}
  {{- $deliveries = append $deliveries (printf "http://%s-delivery-%s:9090" (include "ampgate.name" $) .name) }}
  {{- end }}
  - {name: AMPGATE_CONSOLE__HOST, value: {{ .Values.listenHost | default "0.0.0.0" | quote }}}
  - {name: AMPGATE_CONSOLE__PORT, value: "8090"}
  - {name: AMPGATE_CONSOLE__EDGES, value: {{ list (printf "http://%s-edge-each:8081" (include "ampgate.name" .)) | toJson | quote }}}
  - {name: AMPGATE_CONSOLE__DELIVERIES, value: {{ $deliveries | toJson | quote }}}
  {{- if .Values.pull.enabled }}
  - {name: AMPGATE_CONSOLE__PULLS, value: {{ list (printf "http://%s-pull:9092" (include "ampgate.name" .)) | toJson | quote }}}
  {{- end }}
  {{- end }}
  {{- with .Values.listenHost }}
  - {name: AMPGATE_EDGE__HOST, value: {{ . | quote }}}
  - {name: AMPGATE_EDGE__ADMIN_HOST, value: {{ . | quote }}}
  - {name: AMPGATE_DELIVERY__ADMIN_HOST, value: {{ . | quote }}}
  - {name: AMPGATE_PULL__ADMIN_HOST, value: {{ . | quote }}}
  {{- end }}
  {{- with .Values.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .Values.extraEnvFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
volumeMounts:
  - {name: config, mountPath: /etc/ampgate, readOnly: true}
  - {name: secrets, mountPath: /run/secrets/ampgate, readOnly: true}
  - {name: tmp, mountPath: /tmp}
  {{- with .Values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{- /* Names, and Kafka on the ports of its bootstrap servers and on those that are named. */}}
{{- define "ampgate.egress" -}}
- ports: [{port: 53, protocol: UDP}, {port: 53, protocol: TCP}]
- ports:
    {{- $ports := .Values.networkPolicy.kafkaPorts }}
    {{- range splitList "," .Values.kafka.bootstrapServers }}
    {{- $ports = append $ports (splitList ":" . | last | trim | atoi) }}
    {{- end }}
    {{- range uniq $ports }}
    - {port: {{ int . }}, protocol: TCP}
    {{- end }}
{{- with .Values.networkPolicy.extraEgress }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "ampgate.metricsFrom" -}}
from:
  {{- if .metricsFrom }}
  {{- toYaml .metricsFrom | nindent 2 }}
  {{- else }}
  - namespaceSelector: {}
  {{- end }}
{{- end }}
