{{/* The spec of a DevMachine that starts in the time that its size stands for. */}}
{{- define "dev.machineSpec" -}}
backend:
  inMemory:
    vm:
      provisioning: {startupDuration: {{ . | quote }}, startupJitter: "0.2"}
    node:
      provisioning: {startupDuration: 1s, startupJitter: "0.2"}
    apiServer:
      provisioning: {startupDuration: 1s, startupJitter: "0.2"}
    etcd:
      provisioning: {startupDuration: 1s, startupJitter: "0.2"}
{{- end }}

{{- define "dev.nodeRegistration" -}}
criSocket: unix:///var/run/containerd/containerd.sock
{{- with include "clusterops.arguments" . }}
kubeletExtraArgs: {{- . | nindent 2 }}
{{- end }}
{{- end }}
