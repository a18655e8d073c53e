//! The ingress: one door for every HTTP protocol, and for the TCP protocols where no balancer does it.
//!
//! What it is: a reverse proxy for exactly the routes of Kontor ([`routes`]), as a gateway like the others, on
//! `kontor-gateway-core`'s listeners. It ends TLS (SNI, reload), speaks HTTP/1.1 and HTTP/2 to clients and HTTP/1.1
//! to upstreams, streams both ways without buffering, holds long polls for as long as somebody says something now
//! and then, tunnels upgrades, keeps sessions on their upstream by cookie, finds upstreams by resolving headless
//! Services again and again, checks their health, and ends in order. The TCP protocols are forwarded octet by octet,
//! with the PROXY protocol in front, so that the gateway behind sees its client.
//!
//! What it is not: a general web server, a cache, a firewall for applications. It does not know what is in a body.
//! Passwords pass through it and are checked by the gateways behind.
//!
//! ```no_run
//! # use std::sync::Arc;
//! # use kontor_gateway_core::{Listener, ListenerConfig, Shared};
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use kontor_ingress::{Ingress, IngressConfig, Locals, Scheme};
//!
//! let config: IngressConfig =
//!     kontor_gateway_core::config::parse("upstreams.dav.addresses = ['10.0.0.7:8080']", [])?;
//! let shared = Shared::default();
//! let ingress = Ingress::new(&config, Locals::new())?;
//! ingress.start(&shared);
//! let listener = Listener::bind("ingress", &ListenerConfig::on("0.0.0.0:8080".parse()?), None)?;
//! shared.drain.spawn(listener.serve(Arc::new(ingress.handler(Scheme::Http, &[])), shared.clone()));
//! # Ok(()) }
//! ```
//!
//! Implements: RFC 9110 §7.6 (forwarding: hop-by-hop fields, `Via`), §10.1.1 (`Expect`), RFC 9112 (HTTP/1.1), RFC 9113
//! (HTTP/2), RFC 7239 (`Forwarded`), RFC 6455 §4 as a tunnel, RFC 6797 (HSTS), RFC 6265 (cookies, just one), the PROXY
//! protocol version 2.

#![warn(missing_docs)]

mod affinity;
mod body;
mod client;
mod config;
mod endpoint;
mod exchange;
mod forward;
mod headers;
mod health;
mod ingress;
mod local;
mod preface;
mod record;
mod refusal;
mod resolve;
pub mod routes;
mod server;
mod tcp;
mod tunnel;
mod upgrade;
mod upstream;

pub use body::{BodyError, RequestBody, ResponseBody};
pub use client::Scheme;
pub use config::{IngressConfig, RouteConfig, TcpConfig, UpstreamConfig};
pub use ingress::{Ingress, IngressError, Locals};
pub use local::{BoxError, ClientAddress, Local};
pub use server::HttpServer;
pub use tcp::TcpServer;
