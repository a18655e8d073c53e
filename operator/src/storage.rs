//! Clients of the storage nodes, one for each deployment, with the operator's certificate.

use k8s_openapi::api::core::v1::Secret;
use kontor_crds::groupware_deployment::GroupwareDeployment;
use kontor_storage_client::{StoreClient, StoreError, Tls};
use kube::{Api, Client, ResourceExt};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use thiserror::Error;

/// Makes clients and keeps them. Cheap to clone.
#[derive(Clone)]
pub struct StorageAccess {
    client: Client,
    /// By UID of the deployment: version of the Secret, and the client made with it.
    known: Arc<Mutex<HashMap<String, (String, StoreClient)>>>,
}

impl StorageAccess {
    /// None are known yet.
    pub fn new(client: Client) -> Self {
        Self { client, known: Arc::default() }
    }

    /// A client of this deployment's storage nodes, which may administer everything. Connections are made when they
    /// are needed, so that a client says nothing of whether anybody answers.
    ///
    /// # Errors
    /// [`NoStorage`], which a later try may find gone.
    pub async fn client(&self, deployment: &GroupwareDeployment) -> Result<StoreClient, NoStorage> {
        let namespace = deployment.namespace().unwrap_or_default();
        let name = secret_name(&deployment.name_any());
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), &namespace);
        let secret = secrets.get_opt(&name).await?.ok_or_else(|| NoStorage::Pending(name.clone()))?;
        let version = secret.resource_version().unwrap_or_default();
        if let Some((known, client)) = self.known.lock().get(deployment.uid())
            && *known == version
        {
            return Ok(client.clone());
        }
        let data = secret.data.unwrap_or_default();
        let text = |key: &str| {
            let bytes = data.get(key).ok_or_else(|| NoStorage::Pending(name.clone()))?;
            String::from_utf8(bytes.0.clone()).map_err(|_| NoStorage::Pending(name.clone()))
        };
        let tls = Tls {
            ca: text("ca.crt")?,
            certificate: text("tls.crt")?,
            key: text("tls.key")?,
            server_name: SERVER_NAME.to_owned(),
        };
        let client = StoreClient::connect(&[address(&namespace, &deployment.name_any())], Some(tls))?;
        self.known.lock().insert(deployment.uid().to_owned(), (version, client.clone()));
        Ok(client)
    }

    /// Forgets the client of a deployment that is gone.
    pub fn forget(&self, uid: &str) {
        self.known.lock().remove(uid);
    }
}

/// Why there is no client.
#[derive(Debug, Error)]
pub enum NoStorage {
    /// The deployment is not so far.
    #[error("Secret {0} with the operator's certificate is not there yet")]
    Pending(String),
    /// The API server does not answer.
    #[error("cannot read the operator's certificate")]
    Api(#[from] kube::Error),
    /// The certificate or the address cannot be used.
    #[error("cannot connect to the storage nodes")]
    Client(#[from] StoreError),
}

/// Where the storage nodes of a deployment are: a name that stands for all of them.
pub fn address(namespace: &str, deployment: &str) -> String {
    format!("{deployment}-storage-node-headless.{namespace}.svc:{PORT}")
}

/// The Secret with the operator's certificate for a deployment: `ca.crt`, `tls.crt`, `tls.key`.
pub fn secret_name(deployment: &str) -> String {
    format!("{deployment}-operator-tls")
}

/// The port of the storage nodes' gRPC API.
pub const PORT: i32 = 7143;

/// The name in the storage nodes' certificates.
pub const SERVER_NAME: &str = "kontor-storage";
