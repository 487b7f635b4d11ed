{{/*
The part of the values contract that is the same for every cloud. It reads .Values alone and names no
infrastructure kind, so that it can move into a library chart as it is.
*/}}

{{- define "clusterops.name" -}}
{{ .Values.cluster.name }}
{{- end }}

{{/* Metadata labels of every object. */}}
{{- define "clusterops.labels" -}}
cluster.x-k8s.io/cluster-name: {{ include "clusterops.name" . }}
app.kubernetes.io/managed-by: clusterops
{{- end }}

{{/* Labels of the Cluster: addons and the labels of the `clusterops:` block. */}}
{{- define "clusterops.clusterLabels" -}}
{{ include "clusterops.labels" . }}
{{- with .Values.cluster.region }}
clusterops.io/region: {{ . }}
{{- end }}
clusterops.io/cloud: {{ .Values.cluster.cloud }}
{{- range .Values.addons }}
addons.clusterops.io/{{ . }}: enabled
{{- end }}
{{- range $key, $value := .Values.cluster.labels }}
{{ $key }}: {{ $value | quote }}
{{- end }}
{{- end }}

{{/* Seconds of a duration such as 1h30m. */}}
{{- define "clusterops.seconds" -}}
{{- $total := 0.0 -}}
{{- range regexFindAll "[0-9.]+(ms|h|m|s)" (toString .) -1 -}}
{{- $number := float64 (regexFind "[0-9.]+" .) -}}
{{- $unit := regexFind "[a-z]+" . -}}
{{- $total = addf $total (mulf $number (get (dict "ms" 0.001 "s" 1.0 "m" 60.0 "h" 3600.0) $unit)) -}}
{{- end -}}
{{ ceil $total | int }}
{{- end }}

{{/* A list of address ranges from a list or from one text. */}}
{{- define "clusterops.cidrs" -}}
{{ (kindIs "string" .) | ternary (list .) . | toJson }}
{{- end }}

{{/*
Every MachineDeployment as JSON: {"deployments": [{name, pool, failureDomain, ...the pool's values over
poolDefaults}]}, ordered by name. A pool with failure domains becomes one in each.
*/}}
{{- define "clusterops.deployments" -}}
{{- $root := . -}}
{{- $found := list -}}
{{- range $pool, $own := .Values.pools -}}
{{- $values := mergeOverwrite (deepCopy $root.Values.poolDefaults) (deepCopy ($own | default dict)) -}}
{{- if and $own $own.size (not $own.machineType) }}{{ $values = omit $values "machineType" }}{{ end -}}
{{- $base := printf "%s-%s" (include "clusterops.name" $root) $pool -}}
{{- range $domain := ($values.failureDomains | default (list "")) -}}
{{- $name := empty $domain | ternary $base (printf "%s-%s" $base $domain) -}}
{{- $found = append $found (merge (dict "name" $name "pool" $pool "failureDomain" $domain) $values) -}}
{{- end -}}
{{- end -}}
{{- dict "deployments" $found | toJson -}}
{{- end }}

{{/* What a size or a machine type means: (dict "root" $ "of" <values> "at" "pools.general"). */}}
{{- define "clusterops.machineType" -}}
{{- if .of.machineType -}}
{{ .of.machineType }}
{{- else if hasKey .root.Values.sizes .of.size -}}
{{ get .root.Values.sizes .of.size }}
{{- else -}}
{{- fail (printf "%s.size: %q is not among the sizes of this cloud: %s" .at .of.size (keys .root.Values.sizes | sortAlpha | join ", ")) -}}
{{- end -}}
{{- end }}

{{/* kubeadm's arguments, a list of name and value, from a map. */}}
{{- define "clusterops.arguments" -}}
{{- range $name, $value := . }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end }}

{{/* files, users and commands of a KubeadmConfigSpec. */}}
{{- define "clusterops.kubeadmCommon" -}}
{{- with .Values.kubeadm.files }}
files: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.kubeadm.users }}
users: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.kubeadm.preCommands }}
preKubeadmCommands: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.kubeadm.postCommands }}
postKubeadmCommands: {{ toYaml . | nindent 2 }}
{{- end }}
{{- end }}
