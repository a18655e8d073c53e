//! `AUTH` (RFC 4954).

use kontor_gateway_core::sasl::{self, Credentials, Outcome, SaslError};
use kontor_gateway_core::{Connection, Secret};
use kontor_smtp_proto::{Auth, Frame, Reply};
use kontor_storage_client::{Session as StoreSession, StoreError};

use super::{Flow, Gone, Session, within};
use crate::server::Mode;

impl Session {
    pub(super) async fn auth(&mut self, auth: Auth, connection: &mut Connection) -> Result<Flow, Gone> {
        if let Some(refusal) = self.auth_refused() {
            self.fail(refusal);
            return Ok(Flow::Continue);
        }
        let mut outcome = sasl::start(&auth.mechanism, auth.initial_response.as_deref().map(str::as_bytes));
        let credentials = loop {
            match outcome {
                Ok(Outcome::Challenge(challenge, exchange)) => {
                    self.reply(Reply::plain(334, challenge));
                    self.flush(connection).await?;
                    let line = self.sasl_line(connection).await?;
                    outcome = match line {
                        Some(line) => exchange.step(line.expose()),
                        None => Err(SaslError::TooLong),
                    };
                }
                Ok(Outcome::Done(credentials)) => break credentials,
                Err(error) => {
                    self.fail(refuse(error));
                    return Ok(Flow::Continue);
                }
            }
        };
        let reply = match self.authenticate(credentials).await {
            Ok(login) => {
                tracing::debug!(peer = %self.peer, address = %login.info().address, "logged in");
                self.login = Some(login);
                Reply::new(235, (2, 7, 0), "Authentication successful")
            }
            Err(reply) => {
                self.errors += ERRORS_PER_FAILURE;
                reply
            }
        };
        self.reply(reply);
        Ok(Flow::Continue)
    }

    fn auth_refused(&self) -> Option<Reply> {
        if self.mode != Mode::Submission {
            return Some(Reply::new(502, (5, 5, 1), "AUTH is not available here, use submission"));
        }
        if !self.offers_auth() {
            return Some(Reply::new(538, (5, 7, 11), "Encryption is required: send STARTTLS first"));
        }
        if self.login.is_some() {
            return Some(Reply::new(503, (5, 5, 1), "Already authenticated"));
        }
        if self.transaction.is_some() || !self.hello.as_ref().is_some_and(|hello| hello.extended) {
            return Some(Reply::new(503, (5, 5, 1), "Send EHLO first, and AUTH not within a transaction"));
        }
        None
    }

    /// The next line of the exchange; `None` when it is too long.
    async fn sasl_line(&mut self, connection: &mut Connection) -> Result<Option<Secret>, Gone> {
        loop {
            match self.framer.frame(self.reader.buffered()) {
                Frame::Line { line, consumed } => {
                    let line = Secret::new(line.to_vec());
                    self.reader.consume(consumed);
                    return Ok(Some(line));
                }
                Frame::TooLong { consumed } | Frame::BareNewline { consumed } => {
                    self.reader.consume(consumed);
                    return Ok(None);
                }
                Frame::Incomplete { consumed } => {
                    self.reader.consume(consumed);
                    within(self.gateway.config.command_timeout, self.reader.fill(connection)).await?;
                }
            }
        }
    }

    async fn authenticate(&mut self, credentials: Credentials) -> Result<StoreSession, Reply> {
        let Credentials::Password { act_as, name, password } = credentials else {
            return Err(refuse(SaslError::UnknownMechanism));
        };
        let denied = || Reply::new(535, (5, 7, 8), "Authentication failed");
        if let Err(too_many) = self.shared.auth.admit(self.peer, &name) {
            tracing::debug!(peer = %self.peer, ?too_many, "too many wrong passwords");
            return Err(Reply::new(454, (4, 7, 0), "Too many failures, try again later"));
        }
        let act_as = act_as.unwrap_or_default();
        let peer = self.peer.to_string();
        let Some(password) = password.expose_str() else { return Err(denied()) };
        match self.gateway.store.authenticate(&name, &act_as, password, "smtp", &peer).await {
            Ok(login) => {
                self.shared.auth.succeeded(self.peer, &name);
                Ok(login)
            }
            Err(error @ (StoreError::Unavailable(_) | StoreError::Internal(_))) => {
                tracing::warn!(%error, "the directory did not answer");
                Err(Reply::new(454, (4, 7, 0), "Temporary authentication failure"))
            }
            Err(_) => {
                let hold_back = self.shared.auth.failed(self.peer, &name);
                tokio::time::sleep(hold_back).await;
                Err(denied())
            }
        }
    }
}

fn refuse(error: SaslError) -> Reply {
    match error {
        SaslError::UnknownMechanism => Reply::new(504, (5, 5, 4), "Unknown authentication mechanism"),
        SaslError::Cancelled => Reply::new(501, (5, 7, 0), "Authentication cancelled"),
        SaslError::TooLong => Reply::new(500, (5, 5, 6), "Authentication exchange line is too long"),
        SaslError::InvalidBase64 | SaslError::Malformed => {
            Reply::new(501, (5, 5, 2), "Cannot decode the response")
        }
    }
}

/// A wrong password weighs more than a typing error.
const ERRORS_PER_FAILURE: u32 = 10;
