{{- define "ampgate.name" -}}
{{- if contains "ampgate" .Release.Name }}{{ .Release.Name }}{{ else }}{{ .Release.Name }}-ampgate{{ end }}
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

{{- define "ampgate.pod" -}}
automountServiceAccountToken: false
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
    secret: {secretName: {{ .Values.existingSecret }}, defaultMode: 0440}
  - name: tmp
    emptyDir: {}
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

{{- define "ampgate.container" -}}
image: "{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}"
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
  - {name: AMPGATE_DELIVERY__ADMIN_PORT, value: "9090"}
volumeMounts:
  - {name: config, mountPath: /etc/ampgate, readOnly: true}
  - {name: secrets, mountPath: /run/secrets/ampgate, readOnly: true}
  - {name: tmp, mountPath: /tmp}
{{- end }}
