//! AUTHENTICATE, and what it shares with LOGIN: asking the directory.

use std::sync::Arc;

use kontor_gateway_core::{
    Secret,
    sasl::{self, Credentials, Outcome, SaslError},
};
use kontor_imap_proto::{Code, FramerLimits, Status, Tag, command::authenticate::Authenticate};
use kontor_storage_client::StoreError;

use crate::{
    reply::{Failure, Reply},
    session::{Account, After, Session, State},
};

impl Session {
    /// Begins an exchange.
    pub fn authenticate(&mut self, command: Authenticate) -> Result<Outcome, SaslError> {
        if self.may_begin_login().is_err() {
            // `sasl` below says why; the client's proof is not even looked at.
            return Err(SaslError::Cancelled);
        }
        sasl::start(&command.mechanism, command.initial.as_deref().map(str::as_bytes))
    }

    /// Goes on with an exchange.
    pub async fn sasl(&mut self, tag: Tag, step: Result<Outcome, SaslError>) -> Result<(), Failure> {
        let done = match self.may_begin_login() {
            Err(refusal) => Err(refusal),
            Ok(()) => match step {
                Ok(Outcome::Challenge(challenge, exchange)) => {
                    let out = self.wire.out();
                    out.extend_from_slice(b"+ ");
                    out.extend_from_slice(challenge.as_bytes());
                    out.extend_from_slice(b"\r\n");
                    self.expect_sasl(tag, exchange);
                    return Ok(());
                }
                Ok(Outcome::Done(Credentials::Password { act_as, name, password })) => {
                    self.log_in(&name, act_as.as_deref().unwrap_or(""), &password).await
                }
                Ok(Outcome::Done(_)) | Err(SaslError::UnknownMechanism) => {
                    Err(Reply::no(Code::Cannot, "No such mechanism").into())
                }
                Err(error) => Err(Reply::bad(error.to_string()).into()),
            },
        };
        self.finish(&tag, done, After::Nothing).await
    }

    /// Whether a login may be tried at all.
    pub fn may_begin_login(&self) -> Result<(), Failure> {
        if !matches!(self.state, State::NotAuthenticated) {
            return Err(Reply::bad("Logged in already").into());
        }
        if !self.may_log_in() {
            return Err(Reply::no(Code::PrivacyRequired, "Passwords are taken over TLS only").into());
        }
        Ok(())
    }

    /// Asks the directory. A wrong password is answered late, and after a few of them not at all.
    pub async fn log_in(&mut self, name: &str, act_as: &str, password: &Secret) -> Result<Reply, Failure> {
        let ip = self.wire.connection.peer_ip();
        if let Err(too_many) = self.shared.auth.admit(ip, name) {
            tracing::info!(%ip, name, %too_many, "login not tried");
            return Err(Reply::no(Code::Limit, "Too many wrong passwords, try again later").into());
        }
        let Some(text) = password.expose_str() else {
            return self.wrong_password(name).await;
        };
        let answer = self.server.store.authenticate(name, act_as, text, "imap", &ip.to_string()).await;
        let store = match answer {
            Ok(store) => store,
            Err(StoreError::Unauthenticated) => return self.wrong_password(name).await,
            Err(StoreError::Denied(_) | StoreError::NotFound(_)) => {
                return Err(Reply::no(Code::AuthorizationFailed, "Not allowed").into());
            }
            Err(error) => return Err(error.into()),
        };
        self.shared.auth.succeeded(ip, name);
        let info = store.info();
        let limit = self.server.config.append_limit.min(self.shared.budget.largest());
        let append_limit = if info.max_message_size == 0 { limit } else { limit.min(info.max_message_size) };
        tracing::info!(%ip, address = %info.address, "logged in");
        let (mailbox_id, tenant_id) = (info.mailbox_id, info.tenant_id);
        self.framer.set_limits(FramerLimits::after_login());
        self.state = State::Authenticated(Arc::new(Account { store, mailbox_id, tenant_id, append_limit }));
        let names = self.capabilities();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        self.wire.encoder().capability(&names);
        Ok(Reply::ok("Logged in"))
    }

    async fn wrong_password(&mut self, name: &str) -> Result<Reply, Failure> {
        let ip = self.wire.connection.peer_ip();
        let hold_back = self.shared.auth.failed(ip, name);
        tracing::info!(%ip, name, "wrong name or password");
        tokio::time::sleep(hold_back).await;
        self.login_failures += 1;
        let reply = Reply::no(Code::AuthenticationFailed, "Wrong name or password");
        if self.login_failures >= self.server.config.max_login_failures {
            self.wire.encoder().untagged(
                Status::No,
                Some(Code::AuthenticationFailed),
                "Wrong name or password",
            );
            return Err(Failure::Bye("Too many wrong passwords"));
        }
        Err(reply.into())
    }
}
