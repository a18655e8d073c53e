//! The directory controllers against a real API server and a real storage node over a private PostgreSQL.
//!
//! It takes the cluster of `KUBECONFIG`, whose nodes it does not need; without one it is skipped and says so.

#[allow(dead_code, reason = "shared with the tests of the storage node")]
#[path = "../../storage-node/tests/support/mod.rs"]
mod support;

use futures::future::BoxFuture;
use k8s_openapi::api::core::v1::{Namespace, Secret};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kontor_crds::{
    DistributionGroup, GroupwareDeployment, MailDomain, Mailbox, ResourceMailbox, Tenant, definitions,
};
use kontor_operator::Scope;
use kontor_operator::context::{Census, Wake};
use kontor_operator::directory::admin::{Admin, Trouble};
use kontor_operator::directory::{self, declared::Declared};
use kontor_operator::events::Events;
use kontor_storage_client::StoreClient;
use kontor_storage_client::proto::{self, ApplyResult, Change, put::Object};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use support::House;

/// A storage node that can be taken away.
struct Near {
    store: StoreClient,
    away: AtomicBool,
}

impl Admin for Near {
    fn apply<'a>(
        &'a self,
        _: &'a GroupwareDeployment,
        changes: Vec<Change>,
    ) -> BoxFuture<'a, Result<Vec<ApplyResult>, Trouble>> {
        Box::pin(async move {
            if self.away.load(Ordering::Relaxed) {
                return Err(Trouble::Unavailable("it was taken away".into()));
            }
            Ok(self.store.apply(changes).await?)
        })
    }
}

struct Test {
    client: Client,
    namespace: String,
    house: House,
    near: Arc<Near>,
}

#[tokio::test(flavor = "multi_thread")]
async fn resources_become_entries_of_the_directory() {
    if std::env::var_os("KUBECONFIG").is_none_or(|value| value.is_empty()) {
        println!(
            "SKIPPED resources_become_entries_of_the_directory: KUBECONFIG names no cluster (1 skipped)"
        );
        return;
    }
    kontor_process::tls::install_default_provider();
    let client = Client::try_default().await.expect("a cluster");
    let definitions_api: Api<
        k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
    > = Api::all(client.clone());
    for definition in definitions() {
        let name = definition.metadata.name.clone().expect("a name");
        definitions_api
            .patch(&name, &PatchParams::apply("test").force(), &Patch::Apply(&definition))
            .await
            .expect("the definition is accepted");
    }
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let made = json!({"metadata": {"generateName": "directory-"}});
    let made = serde_json::from_value(made).expect("a namespace");
    let namespace = namespaces.create(&PostParams::default(), &made).await.expect("a namespace").name_any();
    let house = House::new().await;
    let near = Arc::new(Near { store: house.admin.clone(), away: AtomicBool::new(false) });
    let (wake, _woken) = Wake::new();
    let (serving, admin) = (client.clone(), near.clone());
    let controllers = tokio::spawn(async move {
        let events = Events::new(serving.clone(), "test");
        directory::serve(&serving, &Scope::Cluster, &events, &Census::new(wake), admin).await
    });
    let test = Test { client, namespace, house, near };
    tokio::select! {
        () = test.all() => {}
        ended = controllers => panic!("the controllers ended: {ended:?}"),
    }
}

impl Test {
    async fn all(&self) {
        self.a_declared_house_becomes_ready().await;
        self.passwords_follow_their_secrets().await;
        self.a_renamed_mailbox_keeps_its_content().await;
        self.an_address_is_declared_once().await;
        self.what_is_unset_is_left_alone().await;
        self.groups_have_the_members_that_there_are().await;
        self.another_namespace_needs_consent().await;
        self.a_store_that_is_away_is_said_and_waited_for().await;
        self.what_is_deleted_is_kept_or_goes().await;
        self.many_are_ready_soon().await;
        self.a_namespace_goes_whole().await;
    }

    async fn a_declared_house_becomes_ready(&self) {
        self.make::<GroupwareDeployment>(json!({
            "metadata": {"name": "groupware"},
            "spec": {"image": {"tag": "dev"}, "gateways": [{"name": "imap", "protocols": ["IMAP"]}],
                     "storage": {"embedded": {}}, "deletionProtection": false},
        }))
        .await;
        self.make::<Mailbox>(mailbox("anna", json!({"displayName": "Anna", "aliases": ["a@acme.example"]})))
            .await;
        self.make::<ResourceMailbox>(json!({
            "metadata": {"name": "room"},
            "spec": {"domainRef": {"name": "acme-example"}, "primaryAddress": "room@acme.example",
                     "resourceType": "Room"},
        }))
        .await;
        self.make::<MailDomain>(json!({
            "metadata": {"name": "acme-example"},
            "spec": {"tenantRef": {"name": "acme"}, "domainName": "acme.example", "reclaimPolicy": "Delete"},
        }))
        .await;
        self.make::<Tenant>(json!({
            "metadata": {"name": "acme"},
            "spec": {"deploymentRef": {"name": "groupware"}, "displayName": "ACME", "reclaimPolicy": "Delete",
                     "defaultQuota": "1Gi"},
        }))
        .await;
        self.until::<Tenant>("acme", "Ready", "True").await;
        self.until::<MailDomain>("acme-example", "Ready", "True").await;
        self.until::<Mailbox>("anna", "Ready", "True").await;
        self.until::<ResourceMailbox>("room", "Ready", "True").await;
        let anna = self.account("a@acme.example").await.expect("anna");
        assert_eq!((anna.display_name.as_str(), anna.quota, anna.kind.as_str()), ("Anna", 1 << 30, "user"));
        assert_eq!(self.account("room@acme.example").await.expect("the room").kind, "room");
        let status = self.get::<Mailbox>("anna").await.status.expect("a status");
        assert_eq!(status.mailbox_id, Some(anna.mailbox_id));
        assert!(status.conditions.iter().all(|c| c.observed_generation == Some(1) && !c.reason.is_empty()));
    }

    async fn passwords_follow_their_secrets(&self) {
        let with = json!({"credentials": {"passwordSecretRef": {"name": "bob"}}});
        self.make::<Mailbox>(mailbox("bob", with)).await;
        self.until::<Mailbox>("bob", "CredentialsReady", "False").await;
        assert_eq!(self.condition::<Mailbox>("bob", "Ready").await.expect("Ready").reason, "SecretNotFound");
        // Mail for it is taken all the same.
        self.house.target("bob@acme.example").await;
        let secret = |text: &str| json!({"metadata": {"name": "bob"}, "stringData": {"password": text}});
        self.make::<Secret>(secret("first\n")).await;
        self.until::<Mailbox>("bob", "Ready", "True").await;
        let login = async |password: &str| {
            self.house.gateway.authenticate("bob@acme.example", "", password, "imap", "").await.is_ok()
        };
        assert!(login("first").await);
        let api = self.api::<Secret>();
        api.patch("bob", &PatchParams::default(), &Patch::Merge(secret("second"))).await.expect("patch");
        eventually("the new password is set", async || login("second").await).await;
        assert!(!login("first").await);
        self.change::<Mailbox>("bob", json!({"enabled": false})).await;
        eventually("nobody logs in", async || !login("second").await).await;
        self.change::<Mailbox>("bob", json!({"enabled": true, "protocols": {"imap": "Disabled"}})).await;
        self.settled::<Mailbox>("bob").await;
        assert!(!login("second").await);
        self.house.gateway.authenticate("bob@acme.example", "", "second", "pop3", "").await.expect("pop3");
    }

    async fn a_renamed_mailbox_keeps_its_content(&self) {
        let before = self.account("anna@acme.example").await.expect("anna").mailbox_id;
        self.house.deliver("anna@acme.example", &support::mail("hello", "text")).await;
        let renamed = json!({"primaryAddress": "anna.bell@acme.example", "aliases": ["anna@acme.example", "a@acme.example"]});
        self.change::<Mailbox>("anna", renamed).await;
        self.settled::<Mailbox>("anna").await;
        let after = self.account("anna@acme.example").await.expect("anna");
        assert_eq!(
            (after.mailbox_id, after.address.as_str(), after.messages),
            (before, "anna.bell@acme.example", 1)
        );
    }

    async fn an_address_is_declared_once(&self) {
        self.make::<Mailbox>(mailbox("anna2", json!({"primaryAddress": "anna@acme.example"}))).await;
        self.until::<Mailbox>("anna2", "Ready", "False").await;
        let ready = self.condition::<Mailbox>("anna2", "Ready").await.expect("Ready");
        assert_eq!(ready.reason, "AddressConflict", "{}", ready.message);
        assert!(ready.message.contains(&format!("Mailbox {}/anna", self.namespace)), "{}", ready.message);
        // The winner lets go.
        self.change::<Mailbox>("anna", json!({"aliases": ["a@acme.example"]})).await;
        self.until::<Mailbox>("anna2", "Ready", "True").await;
        self.api::<Mailbox>().delete("anna2", &DeleteParams::default()).await.expect("delete");
        // It stays in the directory, and nobody takes it by mistake.
        self.gone::<Mailbox>("anna2").await;
        self.make::<Mailbox>(mailbox("anna3", json!({"primaryAddress": "anna@acme.example"}))).await;
        self.until::<Mailbox>("anna3", "Ready", "False").await;
        assert_eq!(self.condition::<Mailbox>("anna3", "Ready").await.expect("Ready").reason, "NotOwned");
        let adopt = json!({"metadata": {"annotations": {"kontor.dev/adopt": "true"}}});
        let api = self.api::<Mailbox>();
        api.patch("anna3", &PatchParams::default(), &Patch::Merge(adopt)).await.expect("patch");
        self.until::<Mailbox>("anna3", "Ready", "True").await;
    }

    async fn what_is_unset_is_left_alone(&self) {
        let forward = Object::Account(proto::Account {
            address: "fred@acme.example".into(),
            tenant: "acme".into(),
            forward_to: vec!["fred@far.example".into()],
            ..Default::default()
        });
        self.house.put(vec![forward]).await;
        let mut fred = mailbox("fred", json!({"displayName": "Fred"}));
        fred["metadata"]["annotations"] = json!({"kontor.dev/adopt": "true"});
        self.make::<Mailbox>(fred).await;
        self.until::<Mailbox>("fred", "Ready", "True").await;
        let fred = self.account("fred@acme.example").await.expect("fred");
        assert_eq!((fred.display_name.as_str(), fred.forward_to.len()), ("Fred", 1));
    }

    async fn groups_have_the_members_that_there_are(&self) {
        let group = |name: &str, more: Value| {
            let mut spec = json!({"domainRef": {"name": "acme-example"},
                                  "primaryAddress": format!("{name}@acme.example"), "reclaimPolicy": "Delete"});
            merge(&mut spec, more);
            json!({"metadata": {"name": name}, "spec": spec})
        };
        let members = json!({"members": [{"mailboxRef": {"name": "anna"}}, {"mailboxRef": {"name": "nobody"}},
                                         {"smtpAddress": "x@far.example"}, {"groupRef": {"name": "inner"}}]});
        self.make::<DistributionGroup>(group("outer", members)).await;
        self.make::<DistributionGroup>(group(
            "inner",
            json!({"membershipType": "Dynamic", "memberSelector": {"matchLabels": {"team": "sales"}}}),
        ))
        .await;
        eventually("the members that there are", async || {
            self.get::<DistributionGroup>("outer").await.status.is_some_and(|s| s.resolved_members == Some(3))
        })
        .await;
        let resolved = self.condition::<DistributionGroup>("outer", "MembersResolved").await.expect("said");
        assert!(resolved.message.contains("/nobody"), "{}", resolved.message);
        let mut nobody = mailbox("nobody", json!({}));
        nobody["metadata"]["labels"] = json!({"team": "sales"});
        self.make::<Mailbox>(nobody).await;
        self.until::<DistributionGroup>("outer", "Ready", "True").await;
        eventually("the selected member", async || {
            self.get::<DistributionGroup>("inner").await.status.is_some_and(|s| s.resolved_members == Some(1))
        })
        .await;
        self.change::<DistributionGroup>(
            "inner",
            json!({"membershipType": "Static", "memberSelector": null, "members": [{"groupRef": {"name": "outer"}}]}),
        )
        .await;
        self.until::<DistributionGroup>("inner", "Ready", "False").await;
        let ready = self.condition::<DistributionGroup>("inner", "Ready").await.expect("Ready");
        assert_eq!(ready.reason, "MembershipCycle", "{}", ready.message);
    }

    async fn another_namespace_needs_consent(&self) {
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        let made = json!({"metadata": {"generateName": "guest-"}});
        let made = serde_json::from_value(made).expect("a namespace");
        let guest = namespaces.create(&PostParams::default(), &made).await.expect("made").name_any();
        let api: Api<Mailbox> = Api::namespaced(self.client.clone(), &guest);
        let mut hanna = mailbox("hanna", json!({}));
        hanna["spec"]["domainRef"]["namespace"] = json!(self.namespace);
        merge(&mut hanna, json!({"apiVersion": "kontor.dev/v1alpha1", "kind": "Mailbox"}));
        let hanna: Mailbox = serde_json::from_value(hanna).expect("a mailbox");
        api.create(&PostParams::default(), &hanna).await.expect("made");
        let ready = async || {
            let hanna = api.get("hanna").await.expect("hanna");
            hanna.conditions().iter().find(|c| c.type_ == "Ready").map(|c| c.reason.clone())
        };
        eventually("it is refused", async || ready().await.as_deref() == Some("RefNotPermitted")).await;
        let consent =
            json!({"allowedNamespaces": {"from": "Selector", "selector": {"matchLabels": {"guest": "yes"}}}});
        self.change::<Tenant>("acme", consent).await;
        let label = json!({"metadata": {"labels": {"guest": "yes"}}});
        namespaces.patch(&guest, &PatchParams::default(), &Patch::Merge(label)).await.expect("label");
        eventually("it is admitted", async || ready().await.as_deref() == Some("AsDeclared")).await;
        // The namespace goes, with all that is in it.
        namespaces.delete(&guest, &DeleteParams::default()).await.expect("delete");
        eventually("hanna is gone", async || api.get_opt("hanna").await.is_ok_and(|h| h.is_none())).await;
        self.house.target("hanna@acme.example").await;
    }

    async fn a_store_that_is_away_is_said_and_waited_for(&self) {
        self.near.away.store(true, Ordering::Relaxed);
        self.make::<Mailbox>(mailbox("ida", json!({}))).await;
        self.until::<Mailbox>("ida", "Ready", "False").await;
        let ready = self.condition::<Mailbox>("ida", "Ready").await.expect("Ready");
        assert_eq!(ready.reason, "BackendUnavailable", "{}", ready.message);
        assert_eq!(self.condition::<Mailbox>("anna", "Ready").await.expect("Ready").status, "True");
        self.near.away.store(false, Ordering::Relaxed);
        self.until::<Mailbox>("ida", "Ready", "True").await;
    }

    async fn what_is_deleted_is_kept_or_goes(&self) {
        self.make::<Mailbox>(mailbox("jo", json!({"reclaimPolicy": {"type": "Delete"}}))).await;
        self.make::<Mailbox>(mailbox("kim", json!({}))).await;
        for name in ["jo", "kim"] {
            self.until::<Mailbox>(name, "Ready", "True").await;
            self.api::<Mailbox>().delete(name, &DeleteParams::default()).await.expect("delete");
            self.gone::<Mailbox>(name).await;
        }
        assert!(self.account("jo@acme.example").await.is_none());
        assert!(self.account("kim@acme.example").await.is_some());
        // A domain that is in use stays until it is not.
        self.api::<MailDomain>().delete("acme-example", &DeleteParams::default()).await.expect("delete");
        self.until::<MailDomain>("acme-example", "DeletionBlocked", "True").await;
        // Put it back for the rest: it cannot be undeleted, so let it go and make it anew.
        self.change::<MailDomain>("acme-example", json!({"reclaimPolicy": "Retain"})).await;
        self.gone::<MailDomain>("acme-example").await;
        let mut domain = json!({
            "metadata": {"name": "acme-example", "annotations": {"kontor.dev/adopt": "true"}},
            "spec": {"tenantRef": {"name": "acme"}, "domainName": "acme.example"},
        });
        domain["spec"]["reclaimPolicy"] = json!("Retain");
        self.make::<MailDomain>(domain).await;
        self.until::<MailDomain>("acme-example", "Ready", "True").await;
    }

    async fn many_are_ready_soon(&self) {
        let many: usize =
            std::env::var("KONTOR_TEST_MAILBOXES").ok().and_then(|v| v.parse().ok()).unwrap_or(200);
        let start = Instant::now();
        let api = self.api::<Mailbox>();
        let parameters = PostParams::default();
        let tasks = (0..many).map(|i| {
            let mut value = mailbox(&format!("many-{i}"), json!({}));
            merge(&mut value, json!({"apiVersion": "kontor.dev/v1alpha1", "kind": "Mailbox"}));
            let mailbox: Mailbox = serde_json::from_value(value).expect("a mailbox");
            let (api, parameters) = (api.clone(), parameters.clone());
            async move { api.create(&parameters, &mailbox).await.expect("made") }
        });
        let mut tasks = futures::stream::StreamExt::buffer_unordered(futures::stream::iter(tasks), 16);
        while futures::StreamExt::next(&mut tasks).await.is_some() {}
        println!("{many} mailboxes made in {:.1} s", start.elapsed().as_secs_f64());
        let mut versions = Vec::new();
        eventually("all are ready", async || {
            let all = api.list(&ListParams::default()).await.expect("list").items;
            versions = all.iter().map(|m| (m.name_any(), m.resource_version())).collect();
            let ready =
                |m: &&Mailbox| m.conditions().iter().any(|c| c.type_ == "Ready" && c.status == "True");
            all.iter().filter(|m| m.name_any().starts_with("many-")).filter(ready).count() == many
        })
        .await;
        println!("{many} mailboxes ready after {:.1} s", start.elapsed().as_secs_f64());
        // A look that finds nothing new writes nothing.
        self.change::<Tenant>("acme", json!({"defaultQuota": "1024Mi"})).await;
        tokio::time::sleep(Duration::from_secs(3)).await;
        let all = api.list(&ListParams::default()).await.expect("list").items;
        let after: Vec<_> = all.iter().map(|m| (m.name_any(), m.resource_version())).collect();
        assert_eq!(versions, after, "something was written");
    }

    async fn a_namespace_goes_whole(&self) {
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        namespaces.delete(&self.namespace, &DeleteParams::default()).await.expect("delete");
        eventually("nothing is left", async || {
            let mailboxes = self.api::<Mailbox>().list(&ListParams::default()).await;
            let tenants = self.api::<Tenant>().list(&ListParams::default()).await;
            mailboxes.is_ok_and(|l| l.items.is_empty()) && tenants.is_ok_and(|l| l.items.is_empty())
        })
        .await;
    }

    fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    async fn make<K>(&self, mut value: Value)
    where
        K: kube::Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>
            + serde::de::DeserializeOwned
            + serde::Serialize
            + Clone
            + std::fmt::Debug,
    {
        merge(&mut value, json!({"apiVersion": K::api_version(&()), "kind": K::kind(&())}));
        let object: K = serde_json::from_value(value.clone()).unwrap_or_else(|e| panic!("{value}: {e}"));
        self.api::<K>()
            .create(&PostParams::default(), &object)
            .await
            .unwrap_or_else(|e| panic!("{value}: {e}"));
    }

    async fn get<K: Declared>(&self, name: &str) -> K {
        self.api::<K>().get(name).await.unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    async fn change<K: Declared>(&self, name: &str, spec: Value) {
        let patch = json!({"spec": spec});
        self.api::<K>()
            .patch(name, &PatchParams::default(), &Patch::Merge(&patch))
            .await
            .unwrap_or_else(|e| panic!("{name} {patch}: {e}"));
    }

    async fn condition<K: Declared>(&self, name: &str, type_: &str) -> Option<Condition> {
        self.get::<K>(name).await.conditions().iter().find(|c| c.type_ == type_).cloned()
    }

    async fn until<K: Declared>(&self, name: &str, type_: &str, status: &str) {
        let deadline = Instant::now() + LIMIT;
        loop {
            let found = self.condition::<K>(name, type_).await;
            if found.as_ref().is_some_and(|c| c.status == status) {
                return;
            }
            if Instant::now() > deadline {
                let all = serde_json::to_value(self.get::<K>(name).await.conditions()).expect("JSON");
                panic!("{} {name}: {type_} is not {status}: {all:#}", K::kind(&()));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// What is wanted now is made so.
    async fn settled<K: Declared>(&self, name: &str) {
        eventually(name, async || {
            let object = self.get::<K>(name).await;
            let generation = object.meta().generation;
            let ready = object.conditions().iter().find(|c| c.type_ == "Ready");
            ready.is_some_and(|c| c.status == "True" && c.observed_generation == generation)
        })
        .await;
    }

    async fn gone<K: Declared>(&self, name: &str) {
        eventually(name, async || self.api::<K>().get_opt(name).await.is_ok_and(|o| o.is_none())).await;
    }

    async fn account(&self, address: &str) -> Option<proto::Account> {
        let mut directory = self.house.admin.directory().expect("directory");
        let request =
            proto::ListRequest { kind: "account".into(), name: address.into(), ..Default::default() };
        let objects = directory.list(request).await.expect("list").into_inner().objects;
        objects.into_iter().next().and_then(|put| match put.object {
            Some(Object::Account(account)) => Some(account),
            _ => None,
        })
    }
}

fn mailbox(name: &str, more: Value) -> Value {
    let mut spec =
        json!({"domainRef": {"name": "acme-example"}, "primaryAddress": format!("{name}@acme.example")});
    merge(&mut spec, more);
    json!({"metadata": {"name": name}, "spec": spec})
}

fn merge(into: &mut Value, more: Value) {
    if let (Value::Object(into), Value::Object(more)) = (into, more) {
        into.extend(more);
    }
}

async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !holds().await {
        assert!(Instant::now() < deadline, "{what}: not in {} s", LIMIT.as_secs());
        tokio::time::sleep(PAUSE).await;
    }
}

const LIMIT: Duration = Duration::from_secs(120);
const PAUSE: Duration = Duration::from_millis(100);
