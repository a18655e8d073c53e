//! PostgreSQL: the pool, migrations, and what a failure means.

use std::path::Path;
use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime};
use tokio_postgres::NoTls;
use tokio_postgres::error::SqlState;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::error::Error;

/// A pool of connections to one database.
#[derive(Clone)]
pub(crate) struct Db {
    pool: Pool,
}

impl Db {
    /// `url` is a libpq connection string or URL; `ca` signed the server's certificate, else the system knows it.
    pub fn new(url: &str, ca: Option<&Path>, connections: usize) -> anyhow::Result<Self> {
        let mut config: tokio_postgres::Config = url.parse()?;
        config.connect_timeout(Duration::from_secs(5));
        config.keepalives_idle(Duration::from_secs(30));
        if config.get_application_name().is_none() {
            config.application_name("kontor-storage-node");
        }
        // A statement that runs away must not hold its mailbox for ever.
        let options = format!(
            "{} -c statement_timeout=60000 -c idle_in_transaction_session_timeout=60000 -c plan_cache_mode=force_generic_plan -c jit=off",
            config.get_options().unwrap_or("")
        );
        config.options(options.trim());
        let manager =
            Manager::from_config(config, tls(ca)?, ManagerConfig { recycling_method: RecyclingMethod::Fast });
        let pool = Pool::builder(manager)
            .max_size(connections)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(Duration::from_secs(10)))
            .create_timeout(Some(Duration::from_secs(5)))
            .build()?;
        Ok(Db { pool })
    }

    /// A connection, within a deadline.
    pub async fn get(&self) -> Result<Object, Error> {
        self.pool
            .get()
            .await
            .map_err(|error| Error::Unavailable(format!("the database: {}", with_source(&error))))
    }

    /// Brings the schema up to date, one process at a time. The version before keeps working on it.
    pub async fn migrate(&self) -> Result<(), Error> {
        let mut client = self.get().await?;
        client.batch_execute("SET statement_timeout = 0").await?;
        client.execute("SELECT pg_advisory_lock($1)", &[&MIGRATION_LOCK]).await?;
        let outcome = migrate_locked(&mut client).await;
        client.execute("SELECT pg_advisory_unlock($1)", &[&MIGRATION_LOCK]).await?;
        client.batch_execute("SET statement_timeout = 60000").await?;
        outcome
    }

    /// How far the schema is.
    pub async fn schema_version(&self) -> Result<i32, Error> {
        let client = self.get().await?;
        let row = client.query_one("SELECT coalesce(max(version), 0) FROM schema_version", &[]).await?;
        Ok(row.get(0))
    }
}

/// TLS to the server, checked with its name, whenever there is TLS at all (`sslmode`).
fn tls(ca: Option<&Path>) -> anyhow::Result<MakeRustlsConnect> {
    let client = match ca {
        Some(ca) => kontor_process::tls::client_config(ca, None)?,
        None => {
            let mut roots = rustls::RootCertStore::empty();
            // What cannot be read is no CA to us; without any, only a server without TLS can be reached.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            rustls::ClientConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
                .with_safe_default_protocol_versions()?
                .with_root_certificates(roots)
                .with_no_client_auth()
        }
    };
    Ok(MakeRustlsConnect::new(client))
}

async fn migrate_locked(client: &mut Object) -> Result<(), Error> {
    client
        .batch_execute(
            "CREATE TABLE IF NOT EXISTS schema_version (
                version integer PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())",
        )
        .await?;
    let rows = client.query("SELECT version FROM schema_version", &[]).await?;
    let applied: Vec<i32> = rows.iter().map(|row| row.get(0)).collect();
    for (version, sql) in MIGRATIONS {
        // One may come after a later one that does not need it.
        if applied.contains(version) {
            continue;
        }
        tracing::info!(version, "migrating the schema");
        let transaction = client.transaction().await?;
        transaction.batch_execute(sql).await?;
        transaction.execute("INSERT INTO schema_version (version) VALUES ($1)", &[version]).await?;
        transaction.commit().await?;
    }
    Ok(())
}

/// Makes a database, and a superuser for whoever owns the data, where they are not there yet. For a private
/// cluster; `url` names a database that exists.
pub async fn create_database(url: &str, name: &str, owner: Option<&str>) -> anyhow::Result<()> {
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    let connection = tokio::spawn(connection);
    let exists = client.query_opt("SELECT FROM pg_database WHERE datname = $1", &[&name]).await?;
    if exists.is_none() {
        client.batch_execute(&format!("CREATE DATABASE {}", quoted(name))).await?;
    }
    if let Some(owner) = owner {
        let exists = client.query_opt("SELECT FROM pg_roles WHERE rolname = $1", &[&owner]).await?;
        if exists.is_none() {
            client.batch_execute(&format!("CREATE ROLE {} SUPERUSER LOGIN", quoted(owner))).await?;
        }
    }
    drop(client);
    connection.await??;
    Ok(())
}

/// The newest version this program knows.
pub const SCHEMA_VERSION: i32 = 7;
const MIGRATIONS: &[(i32, &str)] = &[
    (1, include_str!("../migrations/0001_store.sql")),
    (2, include_str!("../migrations/0002_items.sql")),
    (3, include_str!("../migrations/0003_sharing.sql")),
    (4, include_str!("../migrations/0004_itip_messages.sql")),
    (5, include_str!("../migrations/0005_locks_attachments.sql")),
    (7, include_str!("../migrations/0007_booking.sql")),
];
const MIGRATION_LOCK: i64 = 0x6b6f_6e74_6f72;

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        let Some(db) = error.as_db_error() else {
            // A parameter or a column of the wrong type is a defect; trying again does not help.
            if error.is_closed() || error_is_io(&error) {
                return Error::Unavailable(format!("the database connection: {}", with_source(&error)));
            }
            return Error::Internal(format!("the database: {}", with_source(&error)));
        };
        match db.code().code() {
            "KS001" => Error::Stale,
            "KS002" => Error::OverQuota,
            "KS003" => Error::NotFound("folder".into()),
            "KS004" => Error::Limit("too many keywords in this mailbox".into()),
            _ => match *db.code() {
                SqlState::UNIQUE_VIOLATION => Error::Exists(db.constraint().unwrap_or("row").to_string()),
                SqlState::T_R_SERIALIZATION_FAILURE
                | SqlState::T_R_DEADLOCK_DETECTED
                | SqlState::LOCK_NOT_AVAILABLE
                | SqlState::QUERY_CANCELED
                | SqlState::ADMIN_SHUTDOWN
                | SqlState::CRASH_SHUTDOWN
                | SqlState::CANNOT_CONNECT_NOW
                | SqlState::TOO_MANY_CONNECTIONS
                | SqlState::DISK_FULL
                | SqlState::OUT_OF_MEMORY
                | SqlState::IO_ERROR
                | SqlState::READ_ONLY_SQL_TRANSACTION
                | SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT => {
                    Error::Unavailable(format!("the database: {}", db.message()))
                }
                _ => Error::Internal(format!("{} ({})", db.message(), db.code().code())),
            },
        }
    }
}

/// Whether the connection broke, or could not be made.
fn error_is_io(error: &tokio_postgres::Error) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        if cause.is::<std::io::Error>() {
            return true;
        }
        source = cause.source();
    }
    let text = error.to_string();
    text.contains("communicating with the server")
        || text.contains("connecting to server")
        || text.contains("timeout")
}

/// The whole story: "error connecting to server" alone helps nobody.
fn with_source(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let more = cause.to_string();
        if !text.ends_with(&more) {
            text = format!("{text}: {more}");
        }
        source = cause.source();
    }
    text
}
