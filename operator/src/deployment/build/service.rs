//! Services: inside one for each pool and one for the storage nodes, each with a headless one beside it, and to the
//! outside a LoadBalancer for each pool, or for the ingress alone, when that is asked for.

use crate::deployment::names::STORAGE_NODE;
use crate::deployment::routes::{self, MONITOR};
use crate::deployment::validate::Valid;
use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kontor_crds::groupware_deployment::{ExposureType, GatewayPool};

/// The storage nodes'.
pub fn storage_node(valid: &Valid) -> Vec<Service> {
    let ports = vec![port("grpc", crate::storage::PORT), port("monitor", MONITOR)];
    inside(valid, STORAGE_NODE, ports)
}

/// A pool's.
pub fn pool(valid: &Valid, pool: &GatewayPool) -> Vec<Service> {
    let endpoints = routes::of_pool(&valid.spec, pool);
    let mut ports: Vec<_> = endpoints.iter().map(|endpoint| port(endpoint.name, endpoint.port)).collect();
    ports.push(port("monitor", MONITOR));
    let mut services = inside(valid, &pool.name, ports);
    services.extend(load_balancer(valid, pool));
    services
}

/// The Service that a pool is reached at from outside, when it is of that kind.
pub fn load_balancer_name(valid: &Valid, pool: &GatewayPool) -> String {
    valid.identity.child(&format!("{}-external", pool.name))
}

fn load_balancer(valid: &Valid, pool: &GatewayPool) -> Option<Service> {
    let exposure = &valid.spec.network.exposure;
    let ports: Vec<_> = routes::outside(&valid.spec, pool)
        .iter()
        .map(|endpoint| port(endpoint.name, endpoint.port))
        .collect();
    if exposure.type_ != ExposureType::LoadBalancer || !routes::is_exposed(&valid.spec, pool) {
        return None;
    }
    let settings = exposure.load_balancer.clone().unwrap_or_default();
    let mut service = service(valid, &load_balancer_name(valid, pool), &pool.name, ports);
    service.metadata.annotations = (!settings.annotations.is_empty()).then_some(settings.annotations);
    if let Some(spec) = &mut service.spec {
        spec.type_ = Some("LoadBalancer".into());
        spec.load_balancer_class = settings.class;
        spec.load_balancer_source_ranges =
            (!settings.source_ranges.is_empty()).then_some(settings.source_ranges);
        spec.external_traffic_policy = Some(settings.external_traffic_policy.as_str().into());
    }
    Some(service)
}

fn inside(valid: &Valid, component: &str, ports: Vec<ServicePort>) -> Vec<Service> {
    let name = valid.identity.child(component);
    let cluster = service(valid, &name, component, ports.clone());
    let mut headless = service(valid, &format!("{name}-headless"), component, ports);
    if let Some(spec) = &mut headless.spec {
        spec.cluster_ip = Some("None".into());
    }
    vec![cluster, headless]
}

fn service(valid: &Valid, name: &str, component: &str, ports: Vec<ServicePort>) -> Service {
    Service {
        metadata: valid.identity.meta(name, component),
        spec: Some(ServiceSpec {
            type_: Some("ClusterIP".into()),
            selector: Some(valid.identity.selector_labels(component)),
            ports: Some(ports),
            ip_family_policy: Some(valid.spec.network.ip_family_policy.as_str().into()),
            ..ServiceSpec::default()
        }),
        status: None,
    }
}

fn port(name: &str, number: i32) -> ServicePort {
    ServicePort {
        name: Some(name.to_owned()),
        port: number,
        target_port: Some(IntOrString::String(name.to_owned())),
        protocol: Some("TCP".into()),
        ..ServicePort::default()
    }
}
