{{/* What the operator may do in a namespace that it watches. Each rule says why. */}}
{{- define "kontor.namespaceRules" -}}
# The resources that it acts on. patch: finalizers and annotations; it never creates or deletes one.
- apiGroups: [kontor.dev]
  resources: [groupwaredeployments, tenants, maildomains, mailboxes, distributiongroups, resourcemailboxes]
  verbs: [get, list, watch, patch]
# What it has to say about them.
- apiGroups: [kontor.dev]
  resources:
    - groupwaredeployments/status
    - tenants/status
    - maildomains/status
    - mailboxes/status
    - distributiongroups/status
    - resourcemailboxes/status
  verbs: [patch]
# Owner references with blockOwnerDeletion, where the admission plugin OwnerReferencesPermissionEnforcement is on.
- apiGroups: [kontor.dev]
  resources: [groupwaredeployments/finalizers]
  verbs: [update]
# Its own events on these resources.
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
# Secrets: the ones that resources name (passwords, certificates, the database's URL) are read and watched; the private
# authority, pod certificates and the embedded storage's passwords are written. RBAC knows no labels: to keep other Secrets
# out of reach, set watchNamespace, or give Kontor namespaces of its own.
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, list, watch, create, patch, delete]
# What a deployment is made of; see docs/kubernetes.md. list and watch: an edited or deleted one is put back.
- apiGroups: [""]
  resources: [configmaps, services, serviceaccounts]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [apps]
  resources: [deployments, statefulsets]
  verbs: [get, list, watch, create, patch, delete]
# The migration of the schema.
- apiGroups: [batch]
  resources: [jobs]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [autoscaling]
  resources: [horizontalpodautoscalers]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
  verbs: [get, list, watch, create, patch, delete]
# The Ingress, with network.exposure.ingress.
- apiGroups: [networking.k8s.io]
  resources: [ingresses]
  verbs: [get, list, watch, create, patch, delete]
# Which pods there are, to count their connections and to say why they do not start.
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch]
# Optional APIs. A rule for one that the cluster does not have allows nothing.
# Routes, with exposure type Gateway.
- apiGroups: [gateway.networking.k8s.io]
  resources: [httproutes, tcproutes, tlsroutes]
  verbs: [get, list, watch, create, patch, delete]
# Certificates, with tls.certManager.
- apiGroups: [cert-manager.io]
  resources: [certificates]
  verbs: [get, list, watch, create, patch, delete]
# ServiceMonitors and PrometheusRules, with observability.
- apiGroups: [monitoring.coreos.com]
  resources: [servicemonitors, prometheusrules]
  verbs: [get, list, watch, create, patch, delete]
# Whether the database is up, with database.cloudNativePG.
- apiGroups: [postgresql.cnpg.io]
  resources: [clusters]
  verbs: [get, list, watch]
{{- end -}}
