//! Requests and answers. Pure.

use crate::deployment::build::autoscaler::CONNECTIONS;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Answers a request. `connections` knows the open connections of a pool.
pub fn answer<B>(
    request: &Request<B>,
    allowed: bool,
    connections: impl Fn(&str, &str, &str) -> Option<u64>,
) -> Response<Full<Bytes>> {
    let (status, body) = route(request, allowed, connections);
    let mut response = Response::new(Full::new(Bytes::from(body.to_string())));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn route<B>(
    request: &Request<B>,
    allowed: bool,
    connections: impl Fn(&str, &str, &str) -> Option<u64>,
) -> (StatusCode, Value) {
    if !allowed {
        return failure(StatusCode::FORBIDDEN, "Forbidden", "only the API server's front proxy may ask");
    }
    if request.method() != Method::GET {
        return failure(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", "only GET");
    }
    let parts: Vec<_> = request.uri().path().split('/').filter(|part| !part.is_empty()).collect();
    match parts.as_slice() {
        ["apis"] => {
            (StatusCode::OK, json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": [group()] }))
        }
        ["apis", GROUP] => (StatusCode::OK, group()),
        ["apis", GROUP, VERSION] => (StatusCode::OK, resources()),
        ["apis", GROUP, VERSION, "namespaces", namespace, CONNECTIONS] => {
            let selector = request.uri().query().and_then(|query| parameter(query, "labelSelector"));
            match labels(selector.as_deref().unwrap_or_default()) {
                Some(labels) => (StatusCode::OK, values(namespace, &labels, connections)),
                None => failure(
                    StatusCode::BAD_REQUEST,
                    "BadRequest",
                    "labelSelector must be deployment=NAME,pool=NAME",
                ),
            }
        }
        ["healthz" | "readyz" | "livez"] => (StatusCode::OK, json!("ok")),
        _ => failure(StatusCode::NOT_FOUND, "NotFound", "there is no such metric"),
    }
}

fn values(
    namespace: &str,
    labels: &BTreeMap<String, String>,
    connections: impl Fn(&str, &str, &str) -> Option<u64>,
) -> Value {
    let label = |name: &str| labels.get(name).map(String::as_str).unwrap_or_default();
    let found = connections(namespace, label("deployment"), label("pool"));
    // An unknown figure is left out: an autoscaler then leaves things as they are.
    let items: Vec<_> = found
        .map(|count| {
            json!({
                "metricName": CONNECTIONS,
                "metricLabels": labels,
                "timestamp": jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
                "value": count.to_string(),
            })
        })
        .into_iter()
        .collect();
    let api_version = format!("{GROUP}/{VERSION}");
    json!({ "kind": "ExternalMetricValueList", "apiVersion": api_version, "metadata": {}, "items": items })
}

fn group() -> Value {
    let version = json!({ "groupVersion": format!("{GROUP}/{VERSION}"), "version": VERSION });
    json!({
        "kind": "APIGroup", "apiVersion": "v1", "name": GROUP,
        "versions": [version.clone()], "preferredVersion": version,
    })
}

fn resources() -> Value {
    json!({
        "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": format!("{GROUP}/{VERSION}"),
        "resources": [{
            "name": CONNECTIONS, "singularName": "", "namespaced": true,
            "kind": "ExternalMetricValueList", "verbs": ["get"],
        }],
    })
}

fn failure(status: StatusCode, reason: &str, message: &str) -> (StatusCode, Value) {
    let body = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "reason": reason, "message": message, "code": status.as_u16(),
    });
    (status, body)
}

/// `deployment=NAME,pool=NAME`, both of them.
fn labels(selector: &str) -> Option<BTreeMap<String, String>> {
    let mut labels = BTreeMap::new();
    for term in selector.split(',').filter(|term| !term.is_empty()) {
        let (key, value) = term.split_once("==").or_else(|| term.split_once('='))?;
        labels.insert(key.trim().to_owned(), value.trim().to_owned());
    }
    (labels.contains_key("deployment") && labels.contains_key("pool")).then_some(labels)
}

fn parameter(query: &str, name: &str) -> Option<String> {
    query.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        (key == name).then(|| unescaped(value))
    })
}

fn unescaped(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let escaped = (byte == b'%').then(|| {
            let mut ahead = rest.clone();
            let digits = [ahead.next()?, ahead.next()?];
            let value = u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?;
            rest = ahead;
            Some(value)
        });
        bytes.push(match (byte, escaped.flatten()) {
            (_, Some(value)) => value,
            (b'+', None) => b' ',
            (byte, None) => byte,
        });
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

const GROUP: &str = "external.metrics.k8s.io";
const VERSION: &str = "v1beta1";

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(path: &str, allowed: bool) -> (StatusCode, Value) {
        let request = Request::get(path).body(()).expect("a request");
        route(&request, allowed, |namespace, deployment, pool| {
            (namespace == "mail" && deployment == "groupware" && pool == "imap").then_some(512)
        })
    }

    #[test]
    fn an_autoscaler_is_told_the_sum_of_a_pool() {
        let path = "/apis/external.metrics.k8s.io/v1beta1/namespaces/mail/kontor_connections_open\
                    ?labelSelector=deployment%3Dgroupware%2Cpool%3Dimap";
        let (status, body) = ask(path, true);
        assert_eq!(status, StatusCode::OK);
        assert_eq!(body.pointer("/items/0/value"), Some(&json!("512")));
        assert_eq!(ask(path, false).0, StatusCode::FORBIDDEN);
    }

    #[test]
    fn what_is_unknown_is_left_out_and_not_zero() {
        let path = "/apis/external.metrics.k8s.io/v1beta1/namespaces/mail/kontor_connections_open\
                    ?labelSelector=deployment%3Dgroupware%2Cpool%3Dsmtp";
        assert_eq!(ask(path, true).1.pointer("/items"), Some(&json!([])));
        let all = "/apis/external.metrics.k8s.io/v1beta1/namespaces/mail/kontor_connections_open";
        assert_eq!(ask(all, true).0, StatusCode::BAD_REQUEST);
    }

    #[test]
    fn discovery_names_the_metric() {
        let (_, body) = ask("/apis/external.metrics.k8s.io/v1beta1", true);
        assert_eq!(body.pointer("/resources/0/name"), Some(&json!(CONNECTIONS)));
    }
}
