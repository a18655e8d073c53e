//! Gateways that speak HTTP, as the services that they are.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use http::Request;
use hyper::service::service_fn;
use kontor_gateway_core::Shared;
use kontor_ingress::routes::Target;
use kontor_ingress::{BoxError, ClientAddress, Local, Locals, RequestBody};
use kontor_storage_client::StoreClient;

use crate::endpoint::Protocols;

/// Those that there are, for the routes that lead to them without a socket in between.
pub(crate) fn locals(protocols: &Protocols, store: &StoreClient, shared: &Shared) -> Locals {
    let dav = kontor_dav::Gateway::new(protocols.dav.clone(), store.clone(), shared);
    let service = service_fn(move |request: Request<RequestBody>| {
        let dav = Arc::clone(&dav);
        async move {
            let client = request.extensions().get::<ClientAddress>().map(|client| client.0);
            let client = client.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
            Ok::<_, BoxError>(dav.answer(request, client).await)
        }
    });
    Locals::from([(Target::Dav, Local::new(service))])
}
