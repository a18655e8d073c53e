//! The configuration files that the operator writes are read by the programs that they are for.

use kontor_crds::groupware_deployment::GroupwareDeployment;
use kontor_operator::deployment::build::config;
use kontor_operator::deployment::dereference::{References, SecretData};
use kontor_operator::deployment::validate::{Valid, validate};
use std::collections::BTreeMap;
use std::time::Duration;

const MANIFEST: &str = "
apiVersion: kontor.dev/v1alpha1
kind: GroupwareDeployment
metadata: {name: acme, namespace: mail}
spec:
  image: {tag: '1'}
  gateways:
  - name: all
    protocols: [SMTP, Submission, LMTP, IMAP, POP3, DAV]
    drain: {preStopDelaySeconds: 7, gracePeriodSeconds: 100}
    config:
      maxConnections: 11
      maxConnectionsPerAddress: 12
      smtp:
        hostname: mx.example.org
        maxMessageBytes: 1000000
        maxRecipients: 123
        relay: {host: relay.example.org, port: 26, tls: None, credentialsSecretRef: {name: relay}}
      imap: {maxMessageBytes: 2000000, idleTimeoutSeconds: 2400}
      pop3: {idleTimeoutSeconds: 700, markSeen: false}
      dav: {maxItemBytes: 3000000}
  storage:
    nodes: {databaseConnections: 5}
    database: {external: {urlSecretRef: {name: db, key: url}}}
    objectStore: {endpoint: 'http://s3:3900', bucket: mail, prefix: a/, credentialsSecretRef: {name: s3}}
  network:
    proxyProtocol: {mode: Enabled, trustedCIDRs: ['10.0.0.0/8']}
    forwardedHeaders: {trustedCIDRs: ['192.0.2.0/24']}
";

fn valid(manifest: &str) -> Valid {
    let deployment: GroupwareDeployment = serde_saphyr::from_str(manifest).expect("a GroupwareDeployment");
    let secret = |pairs: &[(&str, &str)]| {
        let data = pairs.iter().map(|(key, value)| ((*key).to_owned(), value.as_bytes().to_vec()));
        SecretData(data.collect())
    };
    let secrets = BTreeMap::from([
        ("db".to_owned(), secret(&[("url", "postgres://a@b/c")])),
        ("s3".to_owned(), secret(&[("accessKey", "a"), ("secretKey", "b")])),
        ("relay".to_owned(), secret(&[("username", "a"), ("password", "b")])),
    ]);
    validate(&deployment, &References { secrets, ..References::default() }).expect("valid")
}

#[test]
fn a_gateway_reads_what_the_operator_writes() {
    let valid = valid(MANIFEST);
    let text = config::gateway(&valid, &valid.spec.gateways[0]);
    let user = ("KONTOR_SMTP__RELAY__USER".to_owned(), "anna".to_owned());
    let read: kontor_gateway::Config =
        kontor_gateway_core::config::parse(&text, [user]).unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert_eq!(read.store.addresses, ["acme-storage-node-headless.mail.svc:7143"]);
    assert_eq!(read.process.monitor.map(|monitor| monitor.port()), Some(9090));
    assert_eq!(read.process.grace, Duration::from_secs(90));
    assert_eq!(read.tls.certificates.len(), 1);
    let ports = [
        (&read.listen.smtp, 2525),
        (&read.listen.submission, 2587),
        (&read.listen.submissions, 2465),
        (&read.listen.lmtp, 2424),
        (&read.listen.imap, 2143),
        (&read.listen.imaps, 2993),
        (&read.listen.pop3, 2110),
        (&read.listen.pop3s, 2995),
        (&read.listen.dav, 8080),
        (&read.listen.davs, 8443),
    ];
    for (listeners, port) in ports {
        let [listener] = listeners.0.as_slice() else { panic!("{port}: {listeners:?}") };
        assert_eq!(listener.bind.port(), port);
        assert_eq!((listener.max_connections, listener.max_per_address), (11, 12));
        // LMTP and HTTP without TLS are for the inside, where no balancer is.
        assert_eq!(listener.proxy_from.is_empty(), matches!(port, 2424 | 8080), "{port}");
        assert_eq!(listener.forwarded_from.len(), usize::from(port > 8000), "{port}");
    }
    assert_eq!(read.smtp.hostname, "mx.example.org");
    assert_eq!((read.smtp.max_message_size, read.smtp.max_recipients), (1_000_000, 123));
    assert!(read.smtp.queue.runner);
    let relay = read.smtp.relay.expect("a relay");
    assert_eq!((relay.port(), relay.user.as_deref()), (26, Some("anna")));
    assert!(relay.password_file.is_some());
    assert_eq!(read.imap.append_limit, 2_000_000);
    assert_eq!(read.imap.idle_timeout, Duration::from_secs(2400));
    assert_eq!(read.dav.max_item, 3_000_000);
    assert_eq!((read.pop3.command_timeout, read.pop3.mark_seen), (Duration::from_secs(700), false));
}

#[test]
fn a_storage_node_reads_what_the_operator_writes() {
    let text = config::storage_node(&valid(MANIFEST));
    let read: kontor_storage_node::Config =
        kontor_gateway_core::config::parse(&text, []).unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert_eq!(read.database_connections, 5);
    assert_eq!(read.monitor.map(|monitor| monitor.port()), Some(9090));
    assert!(read.database_url_file.is_some());
    let listen = read.listen.expect("a listener");
    assert_eq!(listen.address, "0.0.0.0:7143");
    let blobs = format!("{:?}", read.blobs);
    for part in ["http://s3:3900", "\"mail\"", "\"a/\"", "access-key", "secret-key"] {
        assert!(blobs.contains(part), "{part} in {blobs}");
    }
}

#[test]
fn a_pool_for_lmtp_alone_leaves_the_queue_to_the_others() {
    let manifest = MANIFEST
        .replace("protocols: [SMTP, Submission, LMTP, IMAP, POP3, DAV]", "protocols: [LMTP]")
        .replace("  storage:\n", "  - {name: mx, protocols: [SMTP]}\n  storage:\n");
    let valid = valid(&manifest);
    let runner = |pool: usize| {
        let text = config::gateway(&valid, &valid.spec.gateways[pool]);
        let read: kontor_gateway::Config =
            kontor_gateway_core::config::parse(&text, []).expect("a configuration");
        read.smtp.queue.runner
    };
    assert_eq!((runner(0), runner(1)), (false, true));
}

#[test]
fn an_ingress_leads_to_where_the_pools_listen() {
    let manifest =
        MANIFEST.replace("  storage:\n", "  - {name: ingress, protocols: [Ingress]}\n  storage:\n");
    let valid = valid(&manifest);
    let read = |pool: usize| -> kontor_gateway::Config {
        let text = config::gateway(&valid, &valid.spec.gateways[pool]);
        kontor_gateway_core::config::parse(&text, []).unwrap_or_else(|error| panic!("{error}\n{text}"))
    };
    let (pool, ingress) = (read(0), read(1));
    assert_eq!(ingress.ingress.tcp.len(), 7, "all but LMTP");
    assert!(ingress.ingress.drain < ingress.process.grace);
    let [own, behind] = pool.listen.imaps.0.as_slice() else { panic!("{:?}", pool.listen.imaps) };
    // The balancer in front speaks to either; behind the ingress, everybody has to say who the client is.
    assert_eq!((own.bind.port(), own.proxy_from.len()), (2993, 1));
    assert_eq!((behind.bind.port(), behind.proxy_from.len()), (12993, 2));
    let route = ingress.ingress.tcp.iter().find(|(_, route)| route.listen.0[0].bind.port() == 2993);
    let (_, route) = route.expect("a route for IMAP with TLS");
    assert_eq!(route.dns.as_deref(), Some("acme-all-headless.mail.svc:12993"));
    assert!(route.proxy_protocol && route.listen.0[0].proxy_from.len() == 1);
    assert_eq!(pool.listen.lmtp.0.len(), 1);
    // Of HTTP it ends the TLS itself.
    assert_eq!(ingress.tls.certificates.len(), 1);
    let bound = [&ingress.listen.http, &ingress.listen.https].map(|listen| listen.0[0].bind.port());
    assert_eq!(bound, [8080, 8443]);
    let upstream = ingress.ingress.upstreams.values().next().expect("a gateway that speaks HTTP");
    assert_eq!(upstream.dns.as_deref(), Some("acme-all-headless.mail.svc:18080"));
    assert_eq!((pool.listen.dav.0[1].bind.port(), pool.listen.davs.0.len()), (18080, 1));
    assert_eq!((pool.listen.dav.0[1].forwarded_from.len(), pool.listen.dav.0[1].proxy_from.len()), (2, 0));
}
