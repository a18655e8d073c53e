//! The difference between an object and what it would become. Pure.

use kube::api::DynamicObject;
use serde::Serialize;
use serde_json::{Map, Value};
use similar::TextDiff;

/// A change to one object.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// What is done.
    pub action: Kind,
    /// Kind of the object.
    pub kind: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Whether pods are replaced.
    pub restarts: bool,
    /// What is other than before, as a unified diff of YAML. What is in Secrets is hidden.
    pub diff: String,
}

/// What is done to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// It is made.
    Create,
    /// It is changed.
    Change,
    /// It goes.
    Delete,
}

impl Kind {
    /// In front of the object.
    pub fn verb(self) -> &'static str {
        match self {
            Self::Create => "make",
            Self::Change => "change",
            Self::Delete => "delete",
        }
    }
}

/// The change from `before` to `after`, if there is one.
pub fn change(before: Option<&DynamicObject>, after: Option<&DynamicObject>) -> Option<Change> {
    let one = after.or(before)?;
    let (old, new) = hide(before.map(bare), after.map(bare));
    if old == new {
        return None;
    }
    let action = match (&old, &new) {
        (None, _) => Kind::Create,
        (_, None) => Kind::Delete,
        _ => Kind::Change,
    };
    let template =
        |object: &Option<Value>| object.as_ref().and_then(|o| o.pointer("/spec/template").cloned());
    let kind = one.types.as_ref().map(|types| types.kind.clone()).unwrap_or_default();
    Some(Change {
        restarts: action == Kind::Change
            && matches!(kind.as_str(), "Deployment" | "StatefulSet")
            && template(&old) != template(&new),
        action,
        kind,
        namespace: one.metadata.namespace.clone().unwrap_or_default(),
        name: one.metadata.name.clone().unwrap_or_default(),
        // All of an object that comes or goes would say nothing new.
        diff: match action {
            Kind::Change => text(&old, &new),
            Kind::Create | Kind::Delete => String::new(),
        },
    })
}

fn text(old: &Option<Value>, new: &Option<Value>) -> String {
    let yaml = |value: &Option<Value>| {
        let value = value.as_ref().map(serde_saphyr::to_string);
        value.transpose().ok().flatten().unwrap_or_default()
    };
    let (old, new) = (yaml(old), yaml(new));
    TextDiff::from_lines(&old, &new).unified_diff().context_radius(3).to_string()
}

/// What people and operators write, without what the API server keeps for itself.
fn bare(object: &DynamicObject) -> Value {
    let mut value = serde_json::to_value(object).unwrap_or_default();
    if let Some(object) = value.as_object_mut() {
        object.remove("status");
    }
    if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
        for field in
            ["managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink"]
        {
            metadata.remove(field);
        }
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.remove(kontor_operator::apply::APPLIED);
            if annotations.is_empty() {
                metadata.remove("annotations");
            }
        }
    }
    value
}

/// Puts words in the place of what is in a Secret, which still tell whether it is the same.
fn hide(mut old: Option<Value>, mut new: Option<Value>) -> (Option<Value>, Option<Value>) {
    let data = |object: &Option<Value>| -> Option<Map<String, Value>> {
        let object = object.as_ref().filter(|object| object["kind"] == "Secret")?;
        object.get("data").and_then(Value::as_object).cloned()
    };
    let (before, after) = (data(&old), data(&new));
    let put = |object: &mut Option<Value>, hidden: Option<Map<String, Value>>| {
        if let (Some(Value::Object(object)), Some(hidden)) = (object, hidden) {
            object.insert("data".to_owned(), Value::Object(hidden));
        }
    };
    let hidden = |data: &Map<String, Value>, other: Option<&Map<String, Value>>| {
        let word = |(key, value): (&String, &Value)| {
            let same = other.is_none_or(|other| other.get(key).is_none_or(|other| other == value));
            (key.clone(), Value::from(if same { "(hidden)" } else { "(hidden, another one)" }))
        };
        data.iter().map(word).collect::<Map<_, _>>()
    };
    let then = after.as_ref().map(|after| hidden(after, before.as_ref()));
    let first = before.as_ref().map(|before| hidden(before, None));
    put(&mut new, then);
    put(&mut old, first);
    (old, new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(value: Value) -> DynamicObject {
        serde_json::from_value(value).expect("an object")
    }

    fn deployment(replicas: i32, image: &str, version: &str) -> DynamicObject {
        object(json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "trial-imap", "namespace": "groupware", "resourceVersion": version},
            "spec": {"replicas": replicas, "template": {"spec": {"containers": [{"name": "gateway", "image": image}]}}},
            "status": {"replicas": replicas},
        }))
    }

    fn secret(password: &str) -> DynamicObject {
        object(json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "trial-database"},
            "data": {"password": password, "url": "cG9zdGdyZXM="},
        }))
    }

    #[test]
    fn what_the_server_keeps_is_no_change() {
        assert!(change(Some(&deployment(2, "a", "1")), Some(&deployment(2, "a", "7"))).is_none());
    }

    #[test]
    fn a_new_image_replaces_pods_and_a_new_size_does_not() {
        let size = change(Some(&deployment(2, "a", "1")), Some(&deployment(3, "a", "1"))).expect("a change");
        assert_eq!((size.action, size.restarts), (Kind::Change, false));
        assert!(size.diff.contains("-  replicas: 2\n+  replicas: 3\n"), "{}", size.diff);
        let image = change(Some(&deployment(2, "a", "1")), Some(&deployment(2, "b", "1"))).expect("a change");
        assert!(image.restarts);
    }

    #[test]
    fn what_comes_and_goes_is_told_by_name() {
        let made = change(None, Some(&deployment(2, "a", "1"))).expect("a change");
        assert_eq!((made.action, made.name.as_str(), made.diff.as_str()), (Kind::Create, "trial-imap", ""));
        let gone = change(Some(&deployment(2, "a", "1")), None).expect("a change");
        assert_eq!((gone.action, gone.kind.as_str()), (Kind::Delete, "Deployment"));
    }

    #[test]
    fn secrets_are_compared_and_never_shown() {
        assert!(change(Some(&secret("b25l")), Some(&secret("b25l"))).is_none());
        let other = change(Some(&secret("b25l")), Some(&secret("dHdv"))).expect("a change");
        assert!(other.diff.contains("+  password: (hidden, another one)"), "{}", other.diff);
        assert!(
            !other.diff.contains("b25l")
                && !other.diff.contains("dHdv")
                && !other.diff.contains("cG9zdGdyZXM")
        );
    }
}
