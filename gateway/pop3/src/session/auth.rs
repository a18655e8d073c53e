//! `USER`, `PASS` (RFC 1939 §7) and `AUTH` (RFC 5034).

use kontor_gateway_core::sasl::{self, Credentials, Outcome, SaslError};
use kontor_gateway_core::{Connection, Secret};
use kontor_pop3_proto::{Frame, Response, ResponseCode};
use kontor_storage_client::StoreError;

use super::{Gone, Session, State, store_failed};
use crate::maildrop::Maildrop;

impl Session {
    /// Passwords are taken over TLS.
    pub(super) fn offers_passwords(&self) -> bool {
        self.encrypted || self.server.config.plaintext_auth
    }

    pub(super) fn user(&mut self, name: String) {
        if !self.offers_passwords() {
            return self.fail("encryption is required: send STLS first");
        }
        self.state = State::Authorization { user: Some(name) };
        self.reply(Response::ok("send PASS"));
    }

    pub(super) async fn pass(&mut self, password: String) {
        let password = Secret::from(password);
        let State::Authorization { user } = &mut self.state else { return };
        match user.take() {
            Some(name) => self.log_in(Credentials::Password { act_as: None, name, password }).await,
            None => self.fail("send USER first"),
        }
    }

    pub(super) async fn auth(
        &mut self,
        mechanism: Option<String>,
        initial_response: Option<String>,
        connection: &mut Connection,
    ) -> Result<(), Gone> {
        let Some(mechanism) = mechanism else {
            // The form of before RFC 5034, which clients still send.
            self.reply(Response::ok("mechanisms follow"));
            if self.offers_passwords() {
                for name in sasl::MECHANISMS {
                    self.out.extend_from_slice(format!("{name}\r\n").as_bytes());
                }
            }
            self.out.extend_from_slice(b".\r\n");
            return Ok(());
        };
        if !self.offers_passwords() {
            self.fail("encryption is required: send STLS first");
            return Ok(());
        }
        let mut outcome = sasl::start(&mechanism, initial_response.as_deref().map(str::as_bytes));
        loop {
            match outcome {
                Ok(Outcome::Challenge(challenge, exchange)) => {
                    self.reply(Response::Continue(challenge));
                    self.flush(connection).await?;
                    let line = self.sasl_line(connection).await?;
                    outcome = match line {
                        Some(line) => exchange.step(line.expose()),
                        None => Err(SaslError::TooLong),
                    };
                }
                Ok(Outcome::Done(credentials)) => {
                    self.log_in(credentials).await;
                    return Ok(());
                }
                Err(error) => {
                    self.fail(error.to_string());
                    return Ok(());
                }
            }
        }
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
                Frame::TooLong { consumed } => {
                    self.reader.consume(consumed);
                    return Ok(None);
                }
                Frame::Incomplete { consumed } => {
                    self.reader.consume(consumed);
                    self.next_octets(connection).await?;
                }
            }
        }
    }

    async fn log_in(&mut self, credentials: Credentials) {
        let Credentials::Password { act_as, name, password } = credentials else {
            return self.fail("unknown authentication mechanism");
        };
        if self.shared.auth.admit(self.peer, &name).is_err() {
            self.errors += ERRORS_PER_FAILURE;
            return self
                .reply(Response::err_with(ResponseCode::SysTemp, "too many failures, try again later"));
        }
        let peer = self.peer.to_string();
        let act_as = act_as.unwrap_or_default();
        let login = match password.expose_str() {
            Some(password) => self.server.store.authenticate(&name, &act_as, password, "pop3", &peer).await,
            None => Err(StoreError::Unauthenticated),
        };
        let opened = match login {
            Ok(login) => {
                self.shared.auth.succeeded(self.peer, &name);
                Maildrop::open(login).await.map_err(|error| store_failed(&error))
            }
            Err(error @ (StoreError::Unavailable(_) | StoreError::Internal(_))) => Err(store_failed(&error)),
            Err(_) => {
                let hold_back = self.shared.auth.failed(self.peer, &name);
                tokio::time::sleep(hold_back).await;
                self.errors += ERRORS_PER_FAILURE;
                Err(Response::err_with(ResponseCode::Auth, "authentication failed"))
            }
        };
        match opened {
            Ok(maildrop) => {
                let (count, size) = maildrop.count();
                tracing::debug!(peer = %self.peer, address = %maildrop.login.info().address, "logged in");
                self.state = State::Transaction(Box::new(maildrop));
                self.reply(Response::ok(format!("{count} messages ({size} octets)")));
            }
            Err(response) => self.reply(response),
        }
    }
}

/// A wrong password weighs more than a typing error.
const ERRORS_PER_FAILURE: u32 = 3;
