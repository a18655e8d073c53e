//! The relay host: connections to it, opened, secured, logged in, kept for the next message.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kontor_gateway_core::Secret;
use kontor_smtp_proto::{Auth, Capabilities, Command, Limits, Reply, ReplyError, ReplyFrame, parse_reply};
use kontor_storage_client::StoreClient;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Mutex, Semaphore};
use tokio::time::{Instant, timeout};

use super::transaction::{self, Envelope};
use super::work::Attempt;
use crate::config::{RelayConfig, RelayTls};

/// A relay host.
pub(super) struct Relay {
    config: RelayConfig,
    hostname: String,
    slots: Semaphore,
    idle: Mutex<Vec<(Connection, Instant)>>,
}

impl Relay {
    pub fn new(config: RelayConfig, hostname: &str) -> Self {
        let slots = Semaphore::new(config.connections.clamp(1, 1000));
        Self { config, hostname: hostname.into(), slots, idle: Mutex::new(Vec::new()) }
    }

    /// Recipients in one transaction.
    pub fn recipients(&self) -> usize {
        self.config.recipients.max(1)
    }

    /// One transaction; a result for each recipient, in order.
    pub async fn deliver(
        &self,
        store: &StoreClient,
        limits: &Limits,
        envelope: &Envelope<'_>,
    ) -> Vec<Attempt> {
        let all = |attempt: Attempt| vec![attempt; envelope.recipients.len()];
        let Ok(_slot) = self.slots.acquire().await else { return all(Attempt::deferred("shutting down")) };
        let mut fresh = false;
        loop {
            let kept = if fresh { None } else { self.take_idle().await };
            let reused = kept.is_some();
            let mut connection = match kept {
                Some(connection) => connection,
                None => match self.connect(limits).await {
                    Ok(connection) => connection,
                    Err(error) => return all(error.attempt(&self.config.host)),
                },
            };
            let outcome = transaction::run(&mut connection, store, limits, envelope).await;
            match outcome {
                Ok(results) => {
                    self.keep(connection).await;
                    return results;
                }
                // A connection that was kept may have been closed by the other side meanwhile.
                Err(transaction::Broken { before_data: true, .. }) if reused => fresh = true,
                Err(broken) => return all(broken.error.attempt(&self.config.host)),
            }
        }
    }

    async fn take_idle(&self) -> Option<Connection> {
        let mut idle = self.idle.lock().await;
        let now = Instant::now();
        idle.retain(|(_, since)| now.saturating_duration_since(*since) < IDLE);
        idle.pop().map(|(connection, _)| connection)
    }

    async fn keep(&self, connection: Connection) {
        if connection.usable {
            self.idle.lock().await.push((connection, Instant::now()));
        }
    }

    async fn connect(&self, limits: &Limits) -> Result<Connection, RelayError> {
        let address = (self.config.host.as_str(), self.config.port());
        let connected = timeout(self.config.timeout, TcpStream::connect(address)).await;
        let stream = connected.map_err(|_| RelayError::TimedOut("connect"))??;
        stream.set_nodelay(true)?;
        let mut connection = Connection {
            stream: Box::new(stream),
            input: Vec::new(),
            capabilities: Capabilities::default(),
            host: self.config.host.clone(),
            timeout: self.config.timeout,
            usable: true,
        };
        if self.config.tls == RelayTls::Implicit {
            connection = self.secure(connection).await?;
        }
        let greeting = connection.reply(limits).await?;
        expect(greeting, "greeting")?;
        self.hello(&mut connection, limits).await?;
        if self.config.tls == RelayTls::Starttls {
            if !connection.capabilities.starttls {
                return Err(RelayError::NoStarttls);
            }
            let reply = connection.ask(&Command::StartTls, limits).await?;
            expect(reply, "STARTTLS")?;
            // What came behind the answer in the clear may be from anybody.
            if !connection.input.is_empty() {
                return Err(RelayError::Injected);
            }
            connection = self.secure(connection).await?;
            self.hello(&mut connection, limits).await?;
        }
        if let Some(user) = &self.config.user {
            self.log_in(&mut connection, user, limits).await?;
        }
        Ok(connection)
    }

    async fn secure(&self, connection: Connection) -> Result<Connection, RelayError> {
        let ca = self.config.ca.clone().or_else(system_ca).ok_or(RelayError::NoCa)?;
        let config = kontor_gateway_core::tls::client_config(&ca, None)
            .map_err(|error| RelayError::Tls(error.to_string()))?;
        let name = ServerName::try_from(self.config.host.clone())
            .map_err(|error| RelayError::Tls(error.to_string()))?;
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        let secured = timeout(self.config.timeout, connector.connect(name, connection.stream)).await;
        let stream = secured
            .map_err(|_| RelayError::TimedOut("the TLS handshake"))?
            .map_err(|error| RelayError::Tls(error.to_string()))?;
        Ok(Connection { stream: Box::new(stream), ..connection })
    }

    async fn hello(&self, connection: &mut Connection, limits: &Limits) -> Result<(), RelayError> {
        let reply = connection.ask(&Command::Ehlo(self.hostname.clone()), limits).await?;
        if reply.is_positive() {
            connection.capabilities = Capabilities::parse(&reply);
            return Ok(());
        }
        let reply = connection.ask(&Command::Helo(self.hostname.clone()), limits).await?;
        connection.capabilities = Capabilities::default();
        expect(reply, "HELO")
    }

    async fn log_in(
        &self,
        connection: &mut Connection,
        user: &str,
        limits: &Limits,
    ) -> Result<(), RelayError> {
        let password = self.password()?;
        let offered = connection.capabilities.auth;
        let reply = if offered.plain || !offered.login {
            let proof = [b"\0", user.as_bytes(), b"\0", password.expose()].concat();
            let auth = Auth { mechanism: "PLAIN".into(), initial_response: Some(STANDARD.encode(proof)) };
            connection.ask(&Command::Auth(auth), limits).await?
        } else {
            let auth = Auth { mechanism: "LOGIN".into(), initial_response: None };
            let mut reply = connection.ask(&Command::Auth(auth), limits).await?;
            for answer in [user.as_bytes(), password.expose()] {
                if reply.code != 334 {
                    break;
                }
                connection.send(format!("{}\r\n", STANDARD.encode(answer)).as_bytes()).await?;
                reply = connection.reply(limits).await?;
            }
            reply
        };
        if reply.is_positive() { Ok(()) } else { Err(RelayError::Login(reply)) }
    }

    fn password(&self) -> Result<Secret, RelayError> {
        match (&self.config.password_file, &self.config.password) {
            (Some(file), _) => {
                let text = std::fs::read_to_string(file).map_err(|error| RelayError::PasswordFile {
                    file: file.clone(),
                    reason: error.to_string(),
                })?;
                Ok(Secret::from(text.trim_end_matches(['\r', '\n'])))
            }
            (None, Some(password)) => Ok(password.clone()),
            (None, None) => Ok(Secret::from("")),
        }
    }
}

/// A connection to the relay, after its greeting.
pub(super) struct Connection {
    stream: Box<dyn Stream>,
    /// Octets that came and were not read yet.
    input: Vec<u8>,
    pub capabilities: Capabilities,
    pub host: String,
    pub timeout: Duration,
    /// It can take another message.
    pub usable: bool,
}

trait Stream: AsyncRead + AsyncWrite + Send + Sync + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin> Stream for T {}

impl Connection {
    pub async fn ask(&mut self, command: &Command, limits: &Limits) -> Result<Reply, RelayError> {
        self.send(format!("{command}\r\n").as_bytes()).await?;
        self.reply(limits).await
    }

    pub async fn send(&mut self, octets: &[u8]) -> Result<(), RelayError> {
        let written = async {
            self.stream.write_all(octets).await?;
            self.stream.flush().await
        };
        timeout(self.timeout, written).await.map_err(|_| RelayError::TimedOut("taking our octets"))??;
        Ok(())
    }

    pub async fn reply(&mut self, limits: &Limits) -> Result<Reply, RelayError> {
        let wait = self.timeout;
        self.reply_within(wait, limits).await
    }

    pub async fn reply_within(&mut self, wait: Duration, limits: &Limits) -> Result<Reply, RelayError> {
        let read = async {
            loop {
                if let ReplyFrame::Reply { reply, consumed } = parse_reply(&self.input, limits)? {
                    self.input.drain(..consumed);
                    return Ok(reply);
                }
                if self.stream.read_buf(&mut self.input).await? == 0 {
                    return Err(RelayError::Closed);
                }
            }
        };
        let reply = timeout(wait, read).await.map_err(|_| RelayError::TimedOut("its answer"))??;
        // RFC 5321 §3.8: it closes now, whatever was asked.
        self.usable &= reply.code != 421;
        Ok(reply)
    }
}

/// Why there is no connection, or no longer.
#[derive(Debug, thiserror::Error)]
pub(super) enum RelayError {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("timeout waiting for {0}")]
    TimedOut(&'static str),
    #[error("it closed the connection")]
    Closed,
    #[error("{0}")]
    NotSmtp(#[from] ReplyError),
    #[error("it answered the {0} with: {1}")]
    Refused(&'static str, Reply),
    #[error("it does not offer STARTTLS")]
    NoStarttls,
    #[error("clear text came after STARTTLS")]
    Injected,
    #[error("TLS failed: {0}")]
    Tls(String),
    #[error("no CA is configured (smtp.relay.ca) and the system has none")]
    NoCa,
    #[error("the login failed: {0}")]
    Login(Reply),
    #[error("cannot read the password from {}: {reason}", file.display())]
    PasswordFile { file: PathBuf, reason: String },
    #[error("reading the message: {0}")]
    Store(#[from] kontor_storage_client::StoreError),
}

impl RelayError {
    /// None of these is the message's fault, so it waits.
    pub fn attempt(&self, host: &str) -> Attempt {
        Attempt::deferred(format!("{host}: {self}"))
    }
}

fn expect(reply: Reply, what: &'static str) -> Result<(), RelayError> {
    if reply.is_positive() { Ok(()) } else { Err(RelayError::Refused(what, reply)) }
}

fn system_ca() -> Option<PathBuf> {
    if let Some(file) = std::env::var_os("SSL_CERT_FILE") {
        return Some(file.into());
    }
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"]
        .into_iter()
        .map(Path::new)
        .find(|file| file.exists())
        .map(Path::to_path_buf)
}

/// How long a connection is kept for the next message; less than any server waits for one.
const IDLE: Duration = Duration::from_secs(20);
