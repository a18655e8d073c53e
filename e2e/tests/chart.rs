//! The chart: Helm takes it, refuses wrong values, and what it renders is what Kubernetes knows. The examples are what the
//! custom resource definitions say.
//!
//! Helm is taken from `HELM`, the `PATH`, or where the cluster of these tests was built; without it, tests say so.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result, bail, ensure};
use k8s_openapi::api;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1::APIService;
use kontor_e2e::binaries::workspace;
use kontor_e2e::kubernetes::programs::{VERSION, cache, on_path};
use kontor_e2e::kubernetes::session::Session;
use kube::core::cel::Validator;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_kontor-e2e");

#[test]
fn helm_finds_nothing_to_complain_of() -> Result<()> {
    let Some(helm) = helm("helm_finds_nothing_to_complain_of") else { return Ok(()) };
    for values in values_files()? {
        let mut arguments = vec!["lint".to_owned(), "--strict".to_owned(), chart()];
        arguments.extend(values.iter().flat_map(|file| ["--values".to_owned(), file.display().to_string()]));
        let output = Command::new(&helm).args(&arguments).output()?;
        ensure!(output.status.success(), "helm lint with {values:?}: {}", text(&output));
    }
    Ok(())
}

#[test]
fn everything_rendered_is_what_kubernetes_knows() -> Result<()> {
    let Some(helm) = helm("everything_rendered_is_what_kubernetes_knows") else { return Ok(()) };
    let mut kinds = BTreeSet::new();
    for values in values_files()? {
        let rendered = render(&helm, values.as_deref(), &[])?;
        let mut names = BTreeSet::new();
        for object in objects(&rendered)? {
            let about = format!("{} {} with {values:?}", object["kind"], object["metadata"]["name"]);
            known(&object).with_context(|| about.clone())?;
            let name = (
                object["kind"].to_string(),
                object["metadata"]["namespace"].to_string(),
                object["metadata"]["name"].to_string(),
            );
            ensure!(names.insert(name), "{about} is there twice");
            kinds.insert(object["kind"].as_str().unwrap_or_default().to_owned());
        }
    }
    // The values files would be no test of a template that none of them renders.
    for kind in [
        "APIService",
        "ClusterRole",
        "ConfigMap",
        "CustomResourceDefinition",
        "Deployment",
        "NetworkPolicy",
        "PodDisruptionBudget",
        "PrometheusRule",
        "Role",
        "Service",
        "ServiceAccount",
        "ServiceMonitor",
    ] {
        ensure!(kinds.contains(kind), "no values file renders a {kind}");
    }
    Ok(())
}

#[test]
fn wrong_values_are_refused() -> Result<()> {
    let Some(helm) = helm("wrong_values_are_refused") else { return Ok(()) };
    for (set, says) in [
        ("replica=3", "additional properties 'replica' not allowed"),
        ("image.tga=1", "additional properties 'tga' not allowed"),
        ("replicas=two", "replicas"),
        ("replicas=-1", "replicas"),
        ("image.pullPolicy=Sometimes", "pullPolicy"),
        ("image.digest=latest", "digest"),
        ("watchNamespace=Mail", "watchNamespace"),
        ("networkPolicy.apiServerPorts={https}", "apiServerPorts"),
        ("podDisruptionBudget.maxUnavailable=half", "maxUnavailable"),
        ("monitoring.serviceMonitor.interval=soon", "interval"),
        ("extraEnv[0].value=x", "name"),
        ("serviceAccount.create=false", "serviceAccount.name is needed"),
    ] {
        match render(&helm, None, &["--set", set]) {
            Ok(_) => bail!("{set} is taken"),
            Err(error) => ensure!(format!("{error:#}").contains(says), "{set}: {error:#}"),
        }
    }
    Ok(())
}

/// What RBAC binds to a name must be the name that the operator is told.
#[test]
fn the_operator_may_use_the_lease_that_it_is_told() -> Result<()> {
    let Some(helm) = helm("the_operator_may_use_the_lease_that_it_is_told") else { return Ok(()) };
    for values in values_files()? {
        let all = objects(&render(&helm, values.as_deref(), &[])?)?;
        let deployment = all.iter().find(|object| object["kind"] == "Deployment").context("a Deployment")?;
        let container = &deployment["spec"]["template"]["spec"]["containers"][0];
        let arguments = container["args"].as_array().context("arguments")?;
        let lease = arguments
            .iter()
            .filter_map(Value::as_str)
            .find_map(|a| a.strip_prefix("--lease="))
            .context("--lease")?;
        let allowed = all.iter().filter(|object| object["kind"] == "Role").any(|role| {
            role["rules"]
                .as_array()
                .into_iter()
                .flatten()
                .any(|rule| rule["resources"][0] == "leases" && rule["resourceNames"][0] == lease)
        });
        ensure!(allowed, "no Role allows the Lease {lease}");
    }
    Ok(())
}

/// Restricted pods, and nothing that a pod gets without asking.
#[test]
fn the_operator_runs_restricted() -> Result<()> {
    let Some(helm) = helm("the_operator_runs_restricted") else { return Ok(()) };
    let all = objects(&render(&helm, None, &[])?)?;
    let deployment = all.iter().find(|object| object["kind"] == "Deployment").context("a Deployment")?;
    let pod = &deployment["spec"]["template"]["spec"];
    ensure!(pod["securityContext"]["runAsNonRoot"] == true, "runAsNonRoot");
    ensure!(pod["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault", "seccompProfile");
    let container = &pod["containers"][0]["securityContext"];
    ensure!(container["allowPrivilegeEscalation"] == false, "allowPrivilegeEscalation");
    ensure!(container["readOnlyRootFilesystem"] == true, "readOnlyRootFilesystem");
    ensure!(container["capabilities"]["drop"][0] == "ALL", "capabilities");
    for role in all.iter().filter(|object| object["kind"].as_str().is_some_and(|kind| kind.ends_with("Role")))
    {
        for rule in role["rules"].as_array().into_iter().flatten() {
            let verbs: Vec<_> =
                rule["verbs"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            ensure!(
                !verbs.iter().any(|verb| ["*", "escalate", "bind", "impersonate"].contains(verb)),
                "{rule}"
            );
            ensure!(rule["apiGroups"][0] != "*", "{rule}");
        }
    }
    Ok(())
}

/// An alert on a metric that nothing counts never fires.
#[test]
fn alerts_and_dashboard_speak_of_metrics_that_exist() -> Result<()> {
    let chart = PathBuf::from(chart());
    let mut source = String::new();
    for folder in ["process", "storage-node/src", "gateway", "operator/src"] {
        read_sources(&workspace().join(folder), &mut source)?;
    }
    for file in ["files/alerts.yaml", "files/dashboards/kontor.json"] {
        let text = std::fs::read_to_string(chart.join(file))?;
        let mut count = 0;
        for word in text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_') {
            if !(word.starts_with("kontor_") || word.starts_with("process_")) {
                continue;
            }
            let metric = word.strip_suffix("_bucket").unwrap_or(word);
            ensure!(source.contains(&format!("\"{metric}\"")), "{file}: nothing counts {metric}");
            count += 1;
        }
        ensure!(count > 5, "{file} speaks of {count} metrics only");
    }
    let alerts: Value = serde_saphyr::from_str(&std::fs::read_to_string(chart.join("files/alerts.yaml"))?)?;
    let runbooks = std::fs::read_to_string(workspace().join("docs/runbooks.md"))?;
    for group in alerts.as_array().context("groups")? {
        for rule in group["rules"].as_array().context("rules")? {
            let name = rule["alert"].as_str().context("an alert's name")?;
            for annotation in ["summary", "description", "runbook"] {
                ensure!(rule["annotations"][annotation].is_string(), "{name} has no {annotation}");
            }
            ensure!(runbooks.contains(&format!("## {name}\n")), "docs/runbooks.md says nothing of {name}");
        }
    }
    Ok(())
}

/// In process, so that it holds without a cluster too: schema, rules, and no field that a type does not know.
#[test]
fn the_examples_are_what_the_definitions_say() -> Result<()> {
    let definitions = kontor_crds::definitions();
    for (name, holds) in [
        ("trial.yaml", &["GroupwareDeployment", "Tenant", "MailDomain", "Mailbox"][..]),
        ("production.yaml", &["GroupwareDeployment", "Tenant", "MailDomain", "Mailbox"][..]),
        ("rooms.yaml", &["ResourceMailbox"][..]),
    ] {
        let text = std::fs::read_to_string(workspace().join("docs/examples").join(name))?;
        let mut kinds = BTreeSet::new();
        for object in objects(&text)? {
            let kind = object["kind"].as_str().unwrap_or_default().to_owned();
            let about = format!("{name}: {kind} {}", object["metadata"]["name"]);
            match definitions.iter().find(|definition| definition.spec.names.kind == kind) {
                Some(definition) => {
                    let schema = definition.spec.versions[0]
                        .schema
                        .as_ref()
                        .and_then(|s| s.open_api_v3_schema.as_ref());
                    let schema = serde_json::to_value(schema.context("schema")?)?;
                    fields_known(&object["spec"], &schema["properties"]["spec"], "spec")
                        .with_context(|| about.clone())?;
                    if let Err(errors) = Validator::new().validate(&schema, &object, None) {
                        bail!("{about}: {errors:?}");
                    }
                    custom(&object).with_context(|| about.clone())?;
                }
                None => known(&object).with_context(|| about.clone())?,
            }
            kinds.insert(kind);
        }
        for kind in holds {
            ensure!(kinds.contains(*kind), "{name} has no {kind}");
        }
    }
    Ok(())
}

/// On a real API server: all of it is taken, an upgrade changes what it should, and an uninstall leaves what people made.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_release_comes_is_upgraded_and_goes_and_what_people_made_stays() -> Result<()> {
    let Some(helm) = helm("a_release_comes_is_upgraded_and_goes_and_what_people_made_stays") else {
        return Ok(());
    };
    let session = Session::start(PROGRAM, "test-chart", 1)?;
    let kubeconfig = session.info().kubeconfig.display().to_string();
    let run = |arguments: &[&str]| -> Result<String> {
        let mut command = Command::new(&helm);
        command.args(arguments).args(["--kubeconfig", &kubeconfig, "--namespace", "kontor-system"]);
        let output = command.output()?;
        ensure!(output.status.success(), "helm {arguments:?}: {}", text(&output));
        Ok(text(&output))
    };
    let chart = chart();
    let notes = run(&["install", "kontor", &chart, "--create-namespace"])?;
    ensure!(notes.contains("kubectl apply -f docs/examples/trial.yaml"), "{notes}");
    for plural in
        kontor_crds::definitions().iter().map(|d| format!("{}.{}", d.spec.names.plural, d.spec.group))
    {
        session.kubectl(&[
            "wait",
            "--for=condition=Established",
            "--timeout=60s",
            &format!("crd/{plural}"),
        ])?;
    }

    // The two examples are not for the same namespace at once: the second goes into another.
    let example = |name: &str| workspace().join("docs/examples").join(name).display().to_string();
    session.kubectl(&["apply", "--filename", &example("trial.yaml")])?;
    let production = std::fs::read_to_string(example("production.yaml"))?;
    let elsewhere = production.replace("namespace: groupware\n", "namespace: default\n");
    ensure!(elsewhere != production, "production.yaml names no namespace");
    session.apply(&elsewhere)?;

    run(&["upgrade", "kontor", &chart, "--set", "replicas=3,log=debug"])?;
    let replicas = session.kubectl(&[
        "-n",
        "kontor-system",
        "get",
        "deployment/kontor-operator",
        "-o",
        "jsonpath={.spec.replicas}",
    ])?;
    ensure!(replicas == "3", "{replicas} replicas after the upgrade");
    // What the operator writes there is its own, and an upgrade leaves it alone.
    let bundle = r#"{"spec":{"caBundle":"Y2E="}}"#;
    let service = "apiservice/v1beta1.external.metrics.k8s.io";
    session.kubectl(&[
        "patch",
        service,
        "--type=merge",
        "--field-manager=kontor-operator/external-metrics",
        "-p",
        bundle,
    ])?;
    run(&["upgrade", "kontor", &chart, "--set", "replicas=2"])?;
    let kept = session.kubectl(&["get", service, "-o", "jsonpath={.spec.caBundle}"])?;
    ensure!(kept == "Y2E=", "caBundle is {kept:?} after an upgrade");

    run(&["uninstall", "kontor", "--wait"])?;
    let left = session.kubectl(&["get", "mailboxes", "-n", "groupware", "-o", "name"])?;
    ensure!(left.lines().count() == 2, "mailboxes that are left: {left}");
    let gone = session.kubectl(&[
        "get",
        "deployments,apiservices,clusterroles,rolebindings",
        "-A",
        "-l",
        "app.kubernetes.io/managed-by=Helm",
        "-o",
        "name",
    ])?;
    ensure!(gone.trim().is_empty(), "left behind: {gone}");

    run(&["install", "kontor", &chart])?;
    run(&["uninstall", "kontor", "--wait"])?;
    session.down()
}

/// Helm, or a word that the test is skipped, with a count.
fn helm(test: &str) -> Option<PathBuf> {
    static SKIPPED: AtomicUsize = AtomicUsize::new(0);
    let found = std::env::var_os("HELM").map(PathBuf::from).or_else(|| on_path("helm")).or_else(built);
    if found.is_none() {
        let count = SKIPPED.fetch_add(1, Ordering::Relaxed) + 1;
        println!("SKIPPED {test}: there is no helm ({count} skipped in this binary)");
    }
    found
}

/// The Helm that a cluster of these tests was built with.
fn built() -> Option<PathBuf> {
    let folder = std::env::var_os("K8S_BIN_DIR").map(PathBuf::from);
    let folders = folder
        .into_iter()
        .chain(std::fs::read_dir(cache().ok()?).into_iter().flatten().flatten().map(|e| e.path()));
    folders.map(|folder| folder.join("helm")).find(|path| path.is_file())
}

fn chart() -> String {
    workspace().join("charts/kontor").display().to_string()
}

/// The defaults, and every file of `ci/`.
fn values_files() -> Result<Vec<Option<PathBuf>>> {
    let mut all = vec![None];
    for entry in std::fs::read_dir(Path::new(&chart()).join("ci"))? {
        all.push(Some(entry?.path()));
    }
    ensure!(all.len() > 2, "there are no values files");
    Ok(all)
}

fn render(helm: &Path, values: Option<&Path>, arguments: &[&str]) -> Result<String> {
    let mut command = Command::new(helm);
    command.args(["template", "kontor", &chart(), "--namespace", "kontor-system", "--kube-version", VERSION]);
    if let Some(values) = values {
        command.arg("--values").arg(values);
    }
    let output = command.args(arguments).output()?;
    ensure!(output.status.success(), "{}", text(&output));
    Ok(String::from_utf8(output.stdout)?)
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn objects(text: &str) -> Result<Vec<Value>> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(text)?;
    Ok(documents.into_iter().filter(|document| !document.is_null()).collect())
}

/// Every field is one that the API's type has.
fn known(object: &Value) -> Result<()> {
    let kind =
        (object["apiVersion"].as_str().unwrap_or_default(), object["kind"].as_str().unwrap_or_default());
    match kind {
        ("v1", "ConfigMap") => whole::<api::core::v1::ConfigMap>(object),
        ("v1", "Namespace") => whole::<api::core::v1::Namespace>(object),
        ("v1", "Secret") => whole::<api::core::v1::Secret>(object),
        ("v1", "Service") => whole::<api::core::v1::Service>(object),
        ("v1", "ServiceAccount") => whole::<api::core::v1::ServiceAccount>(object),
        ("apps/v1", "Deployment") => whole::<api::apps::v1::Deployment>(object),
        ("policy/v1", "PodDisruptionBudget") => whole::<api::policy::v1::PodDisruptionBudget>(object),
        ("networking.k8s.io/v1", "NetworkPolicy") => whole::<api::networking::v1::NetworkPolicy>(object),
        ("rbac.authorization.k8s.io/v1", "ClusterRole") => whole::<api::rbac::v1::ClusterRole>(object),
        ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding") => {
            whole::<api::rbac::v1::ClusterRoleBinding>(object)
        }
        ("rbac.authorization.k8s.io/v1", "Role") => whole::<api::rbac::v1::Role>(object),
        ("rbac.authorization.k8s.io/v1", "RoleBinding") => whole::<api::rbac::v1::RoleBinding>(object),
        ("apiregistration.k8s.io/v1", "APIService") => whole::<APIService>(object),
        ("apiextensions.k8s.io/v1", "CustomResourceDefinition") => whole::<CustomResourceDefinition>(object),
        ("monitoring.coreos.com/v1", "ServiceMonitor") => whole::<prometheus::ServiceMonitor>(object),
        ("monitoring.coreos.com/v1", "PrometheusRule") => whole::<prometheus::PrometheusRule>(object),
        other => bail!("unknown kind {other:?}"),
    }
}

fn custom(object: &Value) -> Result<()> {
    match object["kind"].as_str().unwrap_or_default() {
        "GroupwareDeployment" => whole::<kontor_crds::GroupwareDeployment>(object),
        "Tenant" => whole::<kontor_crds::Tenant>(object),
        "MailDomain" => whole::<kontor_crds::MailDomain>(object),
        "Mailbox" => whole::<kontor_crds::Mailbox>(object),
        other => bail!("unknown kind {other}"),
    }
}

/// Reads it as the type and writes it again: nothing may be lost.
fn whole<K: DeserializeOwned + Serialize>(object: &Value) -> Result<()> {
    let read: K = serde_json::from_value(object.clone())?;
    let written = serde_json::to_value(read)?;
    fn lost(given: &Value, kept: &Value, path: &str) -> Option<String> {
        match (given, kept) {
            (Value::Object(given), Value::Object(kept)) => given.iter().find_map(|(key, value)| {
                let path = format!("{path}.{key}");
                match kept.get(key) {
                    Some(kept) => lost(value, kept, &path),
                    None if value.is_null() => None,
                    None => Some(path),
                }
            }),
            (Value::Array(given), Value::Array(kept)) => given
                .iter()
                .zip(kept)
                .enumerate()
                .find_map(|(at, (value, kept))| lost(value, kept, &format!("{path}[{at}]"))),
            _ => None,
        }
    }
    match lost(object, &written, "") {
        Some(path) => bail!("the type knows no field {path}"),
        None => Ok(()),
    }
}

/// Every field is in a schema that is not open.
fn fields_known(value: &Value, schema: &Value, path: &str) -> Result<()> {
    match (value, schema.get("properties")) {
        (Value::Object(fields), Some(properties)) => {
            for (name, value) in fields {
                let path = format!("{path}.{name}");
                let schema =
                    properties.get(name).with_context(|| format!("the schema knows no field {path}"))?;
                fields_known(value, schema, &path)?;
            }
            for required in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                ensure!(fields.contains_key(required), "{path}.{required} is missing");
            }
            Ok(())
        }
        (Value::Array(items), _) => items
            .iter()
            .enumerate()
            .try_for_each(|(at, item)| fields_known(item, &schema["items"], &format!("{path}[{at}]"))),
        _ => Ok(()),
    }
}

fn read_sources(folder: &Path, into: &mut String) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            read_sources(&path, into)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push_str(&std::fs::read_to_string(&path)?);
        }
    }
    Ok(())
}

/// The fields of the Prometheus operator's kinds that the chart may use; its own types are no crate of ours.
mod prometheus {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
    use serde::{Deserialize, Serialize};
    use std::collections::BTreeMap;

    #[derive(Deserialize, Serialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    pub struct ServiceMonitor {
        api_version: String,
        kind: String,
        metadata: ObjectMeta,
        spec: Monitor,
    }

    #[derive(Deserialize, Serialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    struct Monitor {
        selector: LabelSelector,
        namespace_selector: Namespaces,
        endpoints: Vec<Endpoint>,
    }

    #[derive(Deserialize, Serialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    struct Namespaces {
        match_names: Vec<String>,
    }

    #[derive(Deserialize, Serialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    struct Endpoint {
        port: String,
        interval: String,
    }

    #[derive(Deserialize, Serialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    pub struct PrometheusRule {
        api_version: String,
        kind: String,
        metadata: ObjectMeta,
        spec: Rules,
    }

    #[derive(Deserialize, Serialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    struct Rules {
        groups: Vec<Group>,
    }

    #[derive(Deserialize, Serialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    struct Group {
        name: String,
        rules: Vec<Rule>,
    }

    #[derive(Deserialize, Serialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    struct Rule {
        alert: String,
        expr: String,
        #[serde(rename = "for", skip_serializing_if = "Option::is_none")]
        lasting: Option<String>,
        labels: BTreeMap<String, String>,
        annotations: BTreeMap<String, String>,
    }
}
