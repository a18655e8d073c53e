{{/* The operator's command line. */}}
{{- define "kontor.args" -}}
- --monitor=0.0.0.0:9090
- --lease={{ include "kontor.fullname" . }}
- --log={{ .Values.log }}
{{- with .Values.watchNamespace }}
- --watch-namespace={{ . }}
{{- end }}
{{- if .Values.externalMetrics.enabled }}
- --external-metrics=0.0.0.0:8443
- --service={{ include "kontor.fullname" . }}
{{- else }}
- --service=
{{- end }}
{{- with .Values.extraArgs }}
{{ toYaml . }}
{{- end }}
{{- end -}}
