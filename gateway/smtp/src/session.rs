//! One client's session: a thin loop between the socket and the commands.

mod auth;
mod bdat;
mod data;
mod hello;
mod mail;
mod rcpt;

use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use kontor_gateway_core::{Connection, Reader, Shared};
use kontor_smtp_proto::{Command, Frame, LineFramer, Mail, ParseError, Reply};
use kontor_storage_client::Session as StoreSession;
use tokio::io::AsyncWriteExt;

use crate::delivery::Accepted;
use crate::gateway::Gateway;
use crate::server::Mode;
use crate::session::data::Body;

/// Serves a client until it leaves.
pub(crate) async fn run(gateway: Arc<Gateway>, mode: Mode, mut connection: Connection, shared: Shared) {
    let mut session = Session::new(gateway, mode, &connection, shared);
    session.greet();
    loop {
        match session.converse(&mut connection).await {
            Ok(Flow::Upgrade) => match connection.upgrade_tls(&session.reader).await {
                Ok(upgraded) => {
                    connection = upgraded;
                    session.after_upgrade();
                }
                Err(error) => {
                    tracing::debug!(mode = mode.name(), peer = %session.peer, %error, "STARTTLS failed");
                    return;
                }
            },
            Ok(Flow::Continue | Flow::Close) => break,
            Err(Gone::Closed) => return,
            Err(Gone::TimedOut) => {
                session.reply(Reply::new(421, (4, 4, 2), "Timeout, closing the connection"));
                break;
            }
            Err(Gone::Draining) => {
                session.reply(Reply::new(421, (4, 3, 2), "Shutting down, try again later"));
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
    Closed,
    TimedOut,
    Draining,
}

/// How the client introduced itself.
#[derive(Clone, Debug)]
struct Hello {
    name: String,
    /// EHLO or LHLO.
    extended: bool,
}

/// Between MAIL and the end of the message.
struct Transaction {
    mail: Mail,
    recipients: Vec<Accepted>,
    /// Chunks that came by BDAT.
    body: Option<Box<Body>>,
}

struct Session {
    gateway: Arc<Gateway>,
    mode: Mode,
    shared: Shared,
    reader: Reader,
    framer: LineFramer,
    /// Replies that were not sent yet.
    out: Vec<u8>,
    peer: IpAddr,
    encrypted: bool,
    can_upgrade: bool,
    hello: Option<Hello>,
    login: Option<StoreSession>,
    transaction: Option<Box<Transaction>>,
    errors: u32,
}

impl Session {
    fn new(gateway: Arc<Gateway>, mode: Mode, connection: &Connection, shared: Shared) -> Self {
        let framer = LineFramer::new(line_limit(&gateway, mode));
        Self {
            gateway,
            mode,
            shared,
            reader: Reader::new(),
            framer,
            out: Vec::new(),
            peer: connection.peer_ip(),
            encrypted: connection.is_tls(),
            can_upgrade: connection.can_upgrade(),
            hello: None,
            login: None,
            transaction: None,
            errors: 0,
        }
    }

    fn greet(&mut self) {
        let protocol = if self.mode == Mode::Lmtp { "LMTP" } else { "ESMTP" };
        self.reply(Reply::plain(220, format!("{} {protocol} Kontor", self.gateway.hostname)));
    }

    /// RFC 3207 §4.2: nothing said before counts any more.
    fn after_upgrade(&mut self) {
        self.framer = LineFramer::new(line_limit(&self.gateway, self.mode));
        self.encrypted = true;
        self.can_upgrade = false;
        self.hello = None;
        self.login = None;
        self.transaction = None;
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
                    let command = Command::parse(line, &self.gateway.limits);
                    self.reader.consume(consumed);
                    command
                }
                Frame::TooLong { consumed } => {
                    self.reader.consume(consumed);
                    self.fail(Reply::new(500, (5, 5, 6), "Line is too long"));
                    continue;
                }
                Frame::BareNewline { consumed } => {
                    self.reader.consume(consumed);
                    self.fail(Reply::new(500, (5, 5, 2), "A line ends in CRLF, and holds neither otherwise"));
                    continue;
                }
            };
            let flow = match command {
                Ok(command) => self.command(command, connection).await?,
                Err(error) => {
                    let reply = refuse(&error);
                    self.fail(reply);
                    Flow::Continue
                }
            };
            if flow != Flow::Continue {
                self.flush(connection).await?;
                return Ok(flow);
            }
            if self.errors > self.gateway.config.max_errors {
                self.reply(Reply::new(421, (4, 7, 0), "Too many errors"));
                return Ok(Flow::Close);
            }
            if self.out.len() > FLUSH_AT {
                self.flush(connection).await?;
            }
        }
    }

    /// The futures that are large are boxed: an idle session is one of many.
    async fn command(&mut self, command: Command, connection: &mut Connection) -> Result<Flow, Gone> {
        match command {
            Command::Ehlo(name) => self.hello(name, true, false),
            Command::Helo(name) => self.hello(name, false, false),
            Command::Lhlo(name) => self.hello(name, true, true),
            Command::Mail(mail) => Box::pin(self.mail(mail)).await,
            Command::Rcpt(rcpt) => Box::pin(self.rcpt(rcpt)).await,
            Command::Data => return Box::pin(self.data(connection)).await,
            Command::Bdat(bdat) => return Box::pin(self.bdat(bdat, connection)).await,
            Command::Auth(auth) => return Box::pin(self.auth(auth, connection)).await,
            Command::StartTls => return Ok(self.starttls()),
            Command::Rset => {
                self.transaction = None;
                self.reply(Reply::new(250, (2, 0, 0), "Ok"));
            }
            Command::Noop => self.reply(Reply::new(250, (2, 0, 0), "Ok")),
            Command::Help => self.reply(Reply::new(214, (2, 0, 0), "See RFC 5321")),
            Command::Vrfy(_) => {
                self.reply(Reply::new(252, (2, 5, 0), "Send some mail, it will be tried"));
            }
            Command::Expn(_) => self.fail(Reply::new(502, (5, 5, 1), "Groups are not shown")),
            Command::Quit => {
                self.reply(Reply::new(221, (2, 0, 0), "Bye"));
                return Ok(Flow::Close);
            }
        }
        Ok(Flow::Continue)
    }

    fn starttls(&mut self) -> Flow {
        if !self.can_upgrade {
            self.fail(Reply::new(502, (5, 5, 1), "STARTTLS is not available"));
            return Flow::Continue;
        }
        // RFC 3207 §4: it is the last command of its group; what follows it in the clear was not sent by
        // the client that will speak inside TLS.
        if !self.reader.is_empty() {
            self.reply(Reply::new(501, (5, 5, 1), "Nothing may follow STARTTLS"));
            return Flow::Close;
        }
        self.reply(Reply::new(220, (2, 0, 0), "Ready to start TLS"));
        Flow::Upgrade
    }

    fn reply(&mut self, reply: Reply) {
        reply.write(&mut self.out);
    }

    /// A reply to a command that failed by the client's doing.
    fn fail(&mut self, reply: Reply) {
        self.errors += 1;
        self.reply(reply);
    }

    async fn flush(&mut self, connection: &mut Connection) -> Result<(), Gone> {
        if self.out.is_empty() {
            return Ok(());
        }
        let out = std::mem::take(&mut self.out);
        let written = async {
            connection.write_all(&out).await?;
            connection.flush().await
        };
        match tokio::time::timeout(self.gateway.config.data_timeout, written).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Gone::Closed),
        }
    }

    /// Waits for the client's next command. Here, and only here, a drain ends the session.
    async fn next_octets(&mut self, connection: &mut Connection) -> Result<(), Gone> {
        let drain = self.shared.drain.clone();
        let limit = self.gateway.config.command_timeout;
        let between_messages = self.transaction.is_none();
        tokio::select! {
            biased;
            filled = within(limit, self.reader.fill(connection)) => filled,
            () = drain.begun(), if between_messages => Err(Gone::Draining),
            // A client in the middle of a message gets a moment to finish it.
            () = async { drain.begun().await; tokio::time::sleep(LAST_MESSAGE).await }, if !between_messages => {
                Err(Gone::Draining)
            }
        }
    }
}

/// One read with a deadline; the end of the stream is [`Gone::Closed`].
async fn within(limit: Duration, read: impl Future<Output = io::Result<usize>>) -> Result<(), Gone> {
    match tokio::time::timeout(limit, read).await {
        Ok(Ok(0) | Err(_)) => Err(Gone::Closed),
        Ok(Ok(_)) => Ok(()),
        Err(_) => Err(Gone::TimedOut),
    }
}

/// AUTH with its initial response is longer than other commands (RFC 4954 §4).
fn line_limit(gateway: &Gateway, mode: Mode) -> usize {
    match mode {
        Mode::Submission => gateway.limits.auth_line,
        Mode::Mx | Mode::Lmtp => gateway.limits.command_line,
    }
}

fn refuse(error: &ParseError) -> Reply {
    let (code, enhanced) = match error {
        ParseError::UnknownCommand => (500, (5, 5, 1)),
        ParseError::Address(_) => (501, (5, 1, 3)),
        ParseError::UnknownParameter(_) => (555, (5, 5, 4)),
        _ => (501, (5, 5, 4)),
    };
    let text = error.to_string();
    let mut chars = text.chars();
    let text =
        chars.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(chars).collect::<String>();
    Reply::new(code, enhanced, text)
}

const GOODBYE: Duration = Duration::from_secs(2);
const LAST_MESSAGE: Duration = Duration::from_secs(10);
/// Replies to a long pipeline go out before they grow past this.
const FLUSH_AT: usize = 32 * 1024;
