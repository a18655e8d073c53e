//! The blob store: immutable bytes by tenant and hash, on S3 or in a local folder.
//!
//! A blob is durable when [`Blobs::put`] returns: S3 has answered, or file and folder are synced. The row in
//! table `blob` is written first, so that the sweep never takes a blob that a delivery is about to name.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path as Key;
use object_store::signer::Signer;
use object_store::{ObjectStore, ObjectStoreExt, WriteMultipart};
use serde::Deserialize;

use crate::config::secret;
use crate::db::Db;
use crate::error::{Error, bigint, unix_now};

/// Where bodies that are too large for a row are kept.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case", tag = "kind")]
pub enum BlobConfig {
    /// A folder on a local disk.
    Folder {
        /// It is made when it is not there.
        path: PathBuf,
    },
    /// An S3-compatible service.
    S3 {
        /// URL of the service; empty = AWS.
        #[serde(default)]
        endpoint: String,
        /// Bucket. It must exist; `kontor-storage-node migrate` makes it where it may.
        bucket: String,
        /// Region.
        #[serde(default = "default_region")]
        region: String,
        /// Empty = from the environment.
        #[serde(default)]
        access_key: String,
        /// Empty = from the environment.
        #[serde(default)]
        secret_key: String,
        /// A file with the access key, a mounted Secret say, instead of `access_key`.
        #[serde(default)]
        access_key_file: Option<PathBuf>,
        /// A file with the secret key, instead of `secret_key`.
        #[serde(default)]
        secret_key_file: Option<PathBuf>,
        /// The CA of the service's certificate (PEM); the system's own CAs when it is not set.
        #[serde(default)]
        ca: Option<PathBuf>,
        /// Put before each key.
        #[serde(default)]
        prefix: String,
    },
}

/// A key that is set here, or in a file, or neither.
fn key(name: &str, value: &str, file: Option<&Path>) -> anyhow::Result<String> {
    match file {
        None => Ok(value.to_owned()),
        Some(file) if value.is_empty() => secret(file),
        Some(_) => anyhow::bail!("set blobs.{name} or blobs.{name}_file, not both"),
    }
}

/// Whether an answer 404 means the bucket and not the object.
fn no_such_bucket(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.to_string().contains("NoSuchBucket") {
            return true;
        }
        cause = error.source();
    }
    false
}

fn default_region() -> String {
    "us-east-1".into()
}

pub(crate) struct Blobs {
    backend: Backend,
    db: Db,
}

enum Backend {
    Folder(PathBuf),
    S3 { store: Arc<AmazonS3>, prefix: String },
}

/// BLAKE3 of a blob.
pub(crate) type Hash = [u8; 32];

impl Blobs {
    pub async fn open(config: &BlobConfig, db: Db) -> anyhow::Result<Self> {
        let backend = match config {
            BlobConfig::Folder { path } => {
                tokio::fs::create_dir_all(path.join("tmp")).await?;
                Backend::Folder(path.clone())
            }
            BlobConfig::S3 {
                endpoint,
                bucket,
                region,
                access_key,
                secret_key,
                access_key_file,
                secret_key_file,
                ca,
                prefix,
            } => {
                let access_key = &key("access_key", access_key, access_key_file.as_deref())?;
                let secret_key = &key("secret_key", secret_key, secret_key_file.as_deref())?;
                let mut client = object_store::ClientOptions::new()
                    .with_allow_http(true)
                    .with_connect_timeout(Duration::from_secs(5))
                    // A whole answer may take as long as its reader is slow; silence may not.
                    .with_timeout_disabled()
                    .with_read_timeout(SILENCE);
                if let Some(ca) = ca {
                    let pem = std::fs::read(ca).with_context(|| format!("cannot read {}", ca.display()))?;
                    for certificate in object_store::Certificate::from_pem_bundle(&pem)? {
                        client = client.with_root_certificate(certificate);
                    }
                }
                let mut builder = AmazonS3Builder::from_env()
                    .with_bucket_name(bucket)
                    .with_region(region)
                    .with_client_options(client)
                    .with_retry(object_store::RetryConfig {
                        max_retries: 2,
                        retry_timeout: SILENCE,
                        ..Default::default()
                    });
                if !endpoint.is_empty() {
                    builder = builder.with_endpoint(endpoint).with_virtual_hosted_style_request(false);
                }
                if !access_key.is_empty() {
                    builder = builder.with_access_key_id(access_key).with_secret_access_key(secret_key);
                }
                Backend::S3 { store: Arc::new(builder.build()?), prefix: prefix.clone() }
            }
        };
        Ok(Blobs { backend, db })
    }

    /// Whether the backend answers.
    pub async fn ready(&self) -> Result<(), Error> {
        match &self.backend {
            Backend::Folder(root) => {
                tokio::fs::metadata(root.join("tmp")).await.map_err(|e| unavailable(&e))?;
                Ok(())
            }
            // Not HEAD, whose answer has no body and so cannot tell a missing bucket from a missing object.
            Backend::S3 { store, prefix } => match store.get(&Key::from(format!("{prefix}ready"))).await {
                Ok(_) => Ok(()),
                Err(object_store::Error::NotFound { source, .. }) if !no_such_bucket(&*source) => Ok(()),
                Err(object_store::Error::NotFound { .. }) => {
                    Err(Error::Unavailable("the bucket does not exist".to_owned()))
                }
                Err(error) => Err(unavailable(&error)),
            },
        }
    }

    /// Makes the bucket where there is none. A folder is there already.
    ///
    /// # Errors
    /// When the service does not answer, or does not let us.
    pub async fn make_bucket(&self) -> anyhow::Result<()> {
        let Backend::S3 { store, .. } = &self.backend else { return Ok(()) };
        match store.get(&Key::from("ready")).await {
            Err(object_store::Error::NotFound { source, .. }) if no_such_bucket(&*source) => {}
            Ok(_) | Err(object_store::Error::NotFound { .. }) => return Ok(()),
            Err(error) => return Err(error).context("cannot reach the object store"),
        }
        let url = store.signed_url(http::Method::PUT, &Key::default(), Duration::from_secs(60)).await?;
        let answer = reqwest::Client::builder().timeout(SILENCE).build()?.put(url).send().await;
        let answer = answer.context("cannot reach the object store")?;
        // Another process may have made it meanwhile.
        if answer.status().is_success() || answer.status() == http::StatusCode::CONFLICT {
            tracing::info!("made the bucket");
            return Ok(());
        }
        let (status, text) = (answer.status(), answer.text().await.unwrap_or_default());
        anyhow::bail!("the object store refuses to make the bucket ({status}); make it yourself: {text}")
    }

    /// Stores bytes; durable when it returns. Writing what is there already is cheap.
    pub async fn put(&self, tenant: u64, bytes: Bytes) -> Result<Hash, Error> {
        let hash = if bytes.len() > HASH_IN_PLACE {
            let copy = bytes.clone();
            tokio::task::spawn_blocking(move || *blake3::hash(&copy).as_bytes())
                .await
                .map_err(|e| Error::Internal(e.to_string()))?
        } else {
            *blake3::hash(&bytes).as_bytes()
        };
        let client = self.db.get().await?;
        let statement = client
            .prepare_cached(
                "INSERT INTO blob (tenant_id, hash, size, last_put) VALUES ($1, $2, $3, $4)
                 ON CONFLICT (tenant_id, hash) DO UPDATE SET last_put = excluded.last_put",
            )
            .await?;
        let size = bigint(bytes.len() as u64);
        client.execute(&statement, &[&bigint(tenant), &hash.as_slice(), &size, &unix_now()]).await?;
        drop(client);
        match &self.backend {
            Backend::Folder(root) => {
                let root = root.clone();
                tokio::task::spawn_blocking(move || put_file(&root, tenant, &hash, &bytes))
                    .await
                    .map_err(|e| Error::Internal(e.to_string()))?
                    .map_err(|e| unavailable(&e))?;
            }
            Backend::S3 { store, prefix } => {
                let put = put_object(store, s3_key(prefix, tenant, &hash), bytes);
                tokio::time::timeout(PUT, put)
                    .await
                    .map_err(|_| Error::Unavailable("the blob store did not answer in time".into()))??;
            }
        }
        Ok(hash)
    }

    /// Streams octets `offset..offset + length` of a blob.
    pub async fn read(
        &self,
        tenant: u64,
        hash: &[u8],
        offset: u64,
        length: u64,
    ) -> Result<BoxStream<'static, Result<Bytes, Error>>, Error> {
        match &self.backend {
            Backend::Folder(root) => {
                use tokio::io::{AsyncReadExt, AsyncSeekExt};
                let path = file_path(root, tenant, hash);
                let mut file = tokio::fs::File::open(&path).await.map_err(|e| missing(&e, hash))?;
                file.seek(std::io::SeekFrom::Start(offset)).await.map_err(|e| unavailable(&e))?;
                let reader = file.take(length);
                Ok(tokio_util::io::ReaderStream::with_capacity(reader, PIECE)
                    .map(|piece| piece.map_err(|e| unavailable(&e)))
                    .boxed())
            }
            Backend::S3 { store, prefix } => {
                let key = s3_key(prefix, tenant, hash);
                let options = object_store::GetOptions {
                    range: Some((offset..offset.saturating_add(length)).into()),
                    ..Default::default()
                };
                let answer = store.get_opts(&key, options).await.map_err(|error| match error {
                    object_store::Error::NotFound { .. } => {
                        Error::Internal(format!("blob {} is missing", hex(hash)))
                    }
                    error => unavailable(&error),
                })?;
                Ok(answer.into_stream().map(|piece| piece.map_err(|e| unavailable(&e))).boxed())
            }
        }
    }

    /// Size of a blob, or none when it is not there.
    pub async fn size(&self, tenant: u64, hash: &[u8]) -> Result<Option<u64>, Error> {
        match &self.backend {
            Backend::Folder(root) => match tokio::fs::metadata(file_path(root, tenant, hash)).await {
                Ok(meta) => Ok(Some(meta.len())),
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
                Err(e) => Err(unavailable(&e)),
            },
            Backend::S3 { store, prefix } => match store.head(&s3_key(prefix, tenant, hash)).await {
                Ok(meta) => Ok(Some(meta.size)),
                Err(object_store::Error::NotFound { .. }) => Ok(None),
                Err(error) => Err(unavailable(&error)),
            },
        }
    }

    /// Removes the object; its row is the sweep's business.
    pub async fn delete(&self, tenant: u64, hash: &[u8]) -> Result<(), Error> {
        match &self.backend {
            Backend::Folder(root) => match tokio::fs::remove_file(file_path(root, tenant, hash)).await {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(unavailable(&e)),
                _ => Ok(()),
            },
            Backend::S3 { store, prefix } => match store.delete(&s3_key(prefix, tenant, hash)).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
                Err(error) => Err(unavailable(&error)),
            },
        }
    }
}

async fn put_object(store: &AmazonS3, key: Key, bytes: Bytes) -> Result<(), Error> {
    match store.head(&key).await {
        Ok(meta) if meta.size == bytes.len() as u64 => return Ok(()),
        Ok(_) | Err(object_store::Error::NotFound { .. }) => {}
        Err(error) => return Err(unavailable(&error)),
    }
    if bytes.len() <= MULTIPART_FROM {
        store.put(&key, bytes.into()).await.map_err(|e| unavailable(&e))?;
        return Ok(());
    }
    let upload = store.put_multipart(&key).await.map_err(|e| unavailable(&e))?;
    let mut upload = WriteMultipart::new_with_chunk_size(upload, PART);
    let mut rest = bytes;
    while !rest.is_empty() {
        upload.wait_for_capacity(4).await.map_err(|e| unavailable(&e))?;
        upload.put(rest.split_to(rest.len().min(PART)));
    }
    upload.finish().await.map_err(|e| unavailable(&e))?;
    Ok(())
}

fn put_file(root: &Path, tenant: u64, hash: &[u8], bytes: &[u8]) -> std::io::Result<()> {
    use std::io::Write;
    let path = file_path(root, tenant, hash);
    let folder = path.parent().unwrap_or(root);
    if std::fs::metadata(&path).is_ok_and(|m| m.len() == bytes.len() as u64) {
        // Whoever put it may not have synced the folder yet.
        return std::fs::File::open(folder)?.sync_all();
    }
    if !folder.exists() {
        std::fs::create_dir_all(folder)?;
        // The folders themselves must survive a crash too.
        for parent in folder.ancestors().take(3) {
            std::fs::File::open(parent)?.sync_all()?;
            if parent == root {
                break;
            }
        }
    }
    let temporary = root.join("tmp").join(format!("{}-{}", hex(hash), rand::random::<u64>()));
    let written = (|| {
        let mut file = std::fs::File::create_new(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&temporary, &path)
    })();
    if written.is_err() {
        // Nothing refers to the half-written file; failing to remove it changes nothing.
        drop(std::fs::remove_file(&temporary));
    }
    written?;
    std::fs::File::open(folder)?.sync_all()
}

fn file_path(root: &Path, tenant: u64, hash: &[u8]) -> PathBuf {
    let name = hex(hash);
    let shard = name.get(..2).unwrap_or("00").to_string();
    root.join(tenant.to_string()).join(shard).join(name)
}

fn s3_key(prefix: &str, tenant: u64, hash: &[u8]) -> Key {
    let name = hex(hash);
    Key::from(format!("{prefix}{tenant}/{}/{name}", name.get(..2).unwrap_or("00")))
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut s, b| {
        let _infallible = write!(s, "{b:02x}");
        s
    })
}

fn unavailable(error: &dyn std::error::Error) -> Error {
    Error::Unavailable(format!("the blob store: {error}"))
}

fn missing(error: &std::io::Error, hash: &[u8]) -> Error {
    if error.kind() == std::io::ErrorKind::NotFound {
        Error::Internal(format!("blob {} is missing", hex(hash)))
    } else {
        unavailable(error)
    }
}

/// How long S3 may say nothing.
const SILENCE: Duration = Duration::from_secs(10);
/// How long all of a put may take.
const PUT: Duration = Duration::from_secs(45);
const PIECE: usize = 64 << 10;
const PART: usize = 8 << 20;
const MULTIPART_FROM: usize = 16 << 20;
const HASH_IN_PLACE: usize = 1 << 20;
