//! One client's session: a thin loop between the socket and the commands.

mod auth;
mod list;
mod retr;
mod top;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use kontor_gateway_core::{Connection, Reader, Shared, sasl};
use kontor_pop3_proto::{Capabilities, Command, Frame, Limits, LineFramer, Response, ResponseCode};
use kontor_storage_client::StoreError;
use tokio::io::AsyncWriteExt;

use crate::maildrop::Maildrop;
use crate::server::Server;

/// Serves a client until it leaves.
pub(crate) async fn run(server: Arc<Server>, mut connection: Connection, shared: Shared) {
    let mut session = Session::new(server, &connection, shared);
    session.reply(Response::ok("Kontor POP3 ready"));
    loop {
        match session.converse(&mut connection).await {
            Ok(Flow::Upgrade) => match connection.upgrade_tls(&session.reader).await {
                Ok(upgraded) => {
                    connection = upgraded;
                    session.after_upgrade();
                }
                Err(error) => {
                    tracing::debug!(peer = %session.peer, %error, "STLS failed");
                    return;
                }
            },
            Ok(Flow::Continue | Flow::Close) => break,
            Err(Gone::Closed) => return,
            Err(Gone::Draining) => {
                session.reply(Response::err_with(ResponseCode::SysTemp, "shutting down"));
                break;
            }
        }
    }
    let _ = session.flush(&mut connection).await;
    let _ = tokio::time::timeout(GOODBYE, connection.shutdown()).await;
}

/// What happens after a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    Continue,
    Upgrade,
    Close,
}

/// Why nothing more comes from the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gone {
    /// It closed, broke, or said nothing for too long; RFC 1939 §3 wants no word then.
    Closed,
    Draining,
}

/// RFC 1939 §3. UPDATE is what QUIT does.
enum State {
    Authorization { user: Option<String> },
    Transaction(Box<Maildrop>),
}

struct Session {
    server: Arc<Server>,
    shared: Shared,
    reader: Reader,
    framer: LineFramer,
    /// Responses that were not sent yet.
    out: Vec<u8>,
    peer: IpAddr,
    encrypted: bool,
    can_upgrade: bool,
    state: State,
    errors: u32,
}

impl Session {
    fn new(server: Arc<Server>, connection: &Connection, shared: Shared) -> Self {
        Self {
            server,
            shared,
            reader: Reader::new(),
            framer: LineFramer::new(Limits::default().auth_line),
            out: Vec::new(),
            peer: connection.peer_ip(),
            encrypted: connection.is_tls(),
            can_upgrade: connection.can_upgrade(),
            state: State::Authorization { user: None },
            errors: 0,
        }
    }

    /// RFC 2595 §4: nothing said before counts any more.
    fn after_upgrade(&mut self) {
        self.framer = LineFramer::new(Limits::default().auth_line);
        self.encrypted = true;
        self.can_upgrade = false;
        self.state = State::Authorization { user: None };
    }

    async fn converse(&mut self, connection: &mut Connection) -> Result<Flow, Gone> {
        loop {
            let command = match self.framer.frame(self.reader.buffered()) {
                Frame::Incomplete { consumed } => {
                    self.reader.consume(consumed);
                    self.flush(connection).await?;
                    self.next_octets(connection).await?;
                    continue;
                }
                Frame::Line { line, consumed } => {
                    let command = Command::parse(line);
                    self.reader.consume(consumed);
                    command
                }
                Frame::TooLong { consumed } => {
                    self.reader.consume(consumed);
                    self.fail("line is too long");
                    continue;
                }
            };
            let flow = match command {
                Ok(command) => self.command(command, connection).await?,
                Err(error) => {
                    self.fail(error.to_string());
                    Flow::Continue
                }
            };
            if flow != Flow::Continue {
                self.flush(connection).await?;
                return Ok(flow);
            }
            if self.errors > self.server.config.max_errors
                && matches!(self.state, State::Authorization { .. })
            {
                self.reply(Response::err("too many errors"));
                return Ok(Flow::Close);
            }
            if self.out.len() > FLUSH_AT {
                self.flush(connection).await?;
            }
        }
    }

    /// The futures that are large are boxed: an idle session is one of many.
    async fn command(&mut self, command: Command, connection: &mut Connection) -> Result<Flow, Gone> {
        match (command, &mut self.state) {
            (Command::Capa, _) => self.capa(),
            (Command::Quit, State::Authorization { .. }) => {
                self.reply(Response::ok("bye"));
                return Ok(Flow::Close);
            }
            (Command::Quit, State::Transaction(_)) => return Ok(Box::pin(self.quit()).await),
            (Command::Noop, State::Transaction(_)) => self.reply(Response::ok("")),
            (Command::Utf8, State::Authorization { .. }) => {
                self.reply(Response::ok("messages come as they are"))
            }
            (Command::Stls, State::Authorization { .. }) => return Ok(self.stls()),
            (Command::User(name), State::Authorization { .. }) => self.user(name),
            (Command::Pass(password), State::Authorization { .. }) => Box::pin(self.pass(password)).await,
            (Command::Auth { mechanism, initial_response }, State::Authorization { .. }) => {
                Box::pin(self.auth(mechanism, initial_response, connection)).await?;
            }
            (Command::Stat, State::Transaction(maildrop)) => {
                let (count, size) = maildrop.count();
                self.reply(Response::ok(format!("{count} {size}")));
            }
            (Command::List(number), State::Transaction(_)) => self.list(number),
            (Command::Uidl(number), State::Transaction(_)) => self.uidl(number),
            (Command::Retr(number), State::Transaction(_)) => Box::pin(self.retr(number, connection)).await?,
            (Command::Top { message, lines }, State::Transaction(_)) => {
                Box::pin(self.top(message, lines, connection)).await?;
            }
            (Command::Dele(number), State::Transaction(maildrop)) => match maildrop.message(number) {
                Some(message) => {
                    message.deleted = true;
                    self.reply(Response::ok("marked"));
                }
                None => self.no_such_message(),
            },
            (Command::Rset, State::Transaction(maildrop)) => {
                maildrop.reset();
                self.reply(Response::ok(""));
            }
            (_, State::Authorization { .. }) => self.fail("log in first"),
            (_, State::Transaction(_)) => self.fail("not after login"),
        }
        Ok(Flow::Continue)
    }

    fn capa(&mut self) {
        let before_login = matches!(self.state, State::Authorization { .. });
        let offers = before_login && self.offers_passwords();
        let capabilities = Capabilities {
            stls: before_login && self.can_upgrade,
            user: offers,
            sasl: if offers { sasl::MECHANISMS.to_vec() } else { Vec::new() },
            implementation: (!before_login).then(|| "Kontor".into()),
        };
        capabilities.write(&mut self.out);
    }

    fn stls(&mut self) -> Flow {
        if !self.can_upgrade {
            self.fail("STLS is not available");
            return Flow::Continue;
        }
        // What follows it in the clear was not sent by the client that will speak inside TLS.
        if !self.reader.is_empty() {
            self.reply(Response::err("nothing may follow STLS"));
            return Flow::Close;
        }
        self.reply(Response::ok("begin TLS"));
        Flow::Upgrade
    }

    /// UPDATE runs in a task of its own, so that a client which vanishes cannot cut it in half.
    async fn quit(&mut self) -> Flow {
        let state = std::mem::replace(&mut self.state, State::Authorization { user: None });
        let State::Transaction(maildrop) = state else { return Flow::Close };
        let mark_seen = self.server.config.mark_seen;
        let update = self.shared.drain.spawn_commit(async move { maildrop.update(mark_seen).await });
        let response = match update.await {
            Ok(Ok(())) => Response::ok("bye"),
            Ok(Err(error)) => store_failed(&error),
            Err(error) => {
                tracing::error!(%error, "an update ended without an answer");
                Response::err_with(ResponseCode::SysTemp, "internal error")
            }
        };
        self.reply(response);
        Flow::Close
    }

    fn reply(&mut self, response: Response) {
        response.write(&mut self.out);
    }

    /// A response to a command that failed by the client's doing.
    fn fail(&mut self, text: impl Into<String>) {
        self.errors += 1;
        self.reply(Response::err(text));
    }

    fn no_such_message(&mut self) {
        self.reply(Response::err("no such message"));
    }

    async fn flush(&mut self, connection: &mut Connection) -> Result<(), Gone> {
        if self.out.is_empty() {
            return Ok(());
        }
        let mut rest = self.out.as_slice();
        let limit = self.server.config.write_timeout;
        // In pieces, so that a slow client that takes something is not one that takes nothing.
        while !rest.is_empty() {
            match tokio::time::timeout(limit, connection.write(rest)).await {
                Ok(Ok(written)) if written > 0 => rest = rest.get(written..).unwrap_or_default(),
                _ => return Err(Gone::Closed),
            }
        }
        match tokio::time::timeout(limit, connection.flush()).await {
            Ok(Ok(())) => {}
            _ => return Err(Gone::Closed),
        }
        if self.out.capacity() > KEEP {
            self.out = Vec::new();
        } else {
            self.out.clear();
        }
        Ok(())
    }

    /// Waits for the client's next command. Here, and only here, a drain ends the session.
    async fn next_octets(&mut self, connection: &mut Connection) -> Result<(), Gone> {
        self.out = Vec::new();
        let drain = self.shared.drain.clone();
        let limit = match self.state {
            State::Authorization { .. } => self.server.config.login_timeout,
            State::Transaction(_) => self.server.config.command_timeout,
        };
        tokio::select! {
            biased;
            filled = tokio::time::timeout(limit, self.reader.fill(connection)) => match filled {
                Ok(Ok(octets)) if octets > 0 => Ok(()),
                _ => Err(Gone::Closed),
            },
            () = drain.begun() => Err(Gone::Draining),
        }
    }
}

/// A store call failed: what the client may do about it.
fn store_failed(error: &StoreError) -> Response {
    match error {
        StoreError::NotFound(_) => Response::err("no such message"),
        StoreError::Unavailable(_) => {
            tracing::warn!(%error, "the store did not answer");
            Response::err_with(ResponseCode::SysTemp, "mail system is not available, try again later")
        }
        StoreError::Unauthenticated => {
            Response::err_with(ResponseCode::Auth, "the session has ended, log in again")
        }
        _ => {
            tracing::error!(%error, "the store refused a call");
            Response::err_with(ResponseCode::SysTemp, "internal error, try again later")
        }
    }
}

const GOODBYE: Duration = Duration::from_secs(2);
/// Responses to a long pipeline go out before they grow past this.
const FLUSH_AT: usize = 32 * 1024;
/// A larger buffer is given back after use.
const KEEP: usize = 256 * 1024;
